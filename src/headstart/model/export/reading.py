"""Reads what an exported file says of itself, and whether it was made of a given model. Runs nothing."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.data.images.spec import ImageSpec
from headstart.errors import BundleError, OptionError
from headstart.model.export.formats import SUFFIXES
from headstart.model.export.graph import METADATA, OUTPUTS, SQUARES, ExportGraph, model_fingerprint, require_onnx
from headstart.model.export.precision import PRECISIONS
from headstart.model.export.runtimes import RUNTIMES

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor


def form_of(path: Path) -> str:
    """The format of an exported file, by its ending. Raises `OptionError` for another, and where there is no file."""
    form = next((form for form, suffix in SUFFIXES.items() if path.suffix == suffix), None)
    if form is None:
        raise OptionError(
            f"{path} is no exported model that can be run here: give a file ending in .onnx, .xml, .pt2 or .tflite."
        )
    if form == "coreml" and not RUNTIMES[form]:
        raise OptionError(f"{path} cannot be verified here: Core ML predicts on macOS alone; run this command there.")
    if not path.exists():
        raise OptionError(f"there is no file {path}: give what 'headstart export' wrote.")
    return form


def read_exported(path: Path, predictor: Predictor) -> ExportGraph | None:
    """The graph of an ONNX file, None for other formats, after a check that it was made of this model.

    Raises `BundleError` for a damaged file, a stranger's graph, or another model's.
    """
    form = form_of(path)
    if form != "onnx":
        _check_origin(path, _metadata_of(path, form), predictor)
        return None
    require_onnx("verifying an exported model")
    import onnx

    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf's own errors, which differ by its version
        raise BundleError(f"{path} is damaged, or no ONNX graph: export the model again.") from error
    _check_origin(path, {entry.key: entry.value for entry in model.metadata_props}.get(METADATA, ""), predictor)
    outputs = tuple(output.name for output in model.graph.output if output.name in OUTPUTS)
    backbones = list({part.backbone.weights: part.backbone for part in predictor.parts}.values())
    if not isinstance(backbones[0].spec, ImageSpec):
        return ExportGraph(model, outputs, {})
    squares = {f"{SQUARES}{number or ''}": backbone.spec.size for number, backbone in enumerate(backbones)}
    return ExportGraph(model, outputs, squares)


def read_precision(path: Path) -> str:
    """The precision that an exported file was made in, which `read_exported` has looked at before."""
    text = _onnx_metadata(path) if path.suffix == SUFFIXES["onnx"] else _metadata_of(path, form_of(path))
    precision = json.loads(text).get("precision", "f32")
    return precision if precision in PRECISIONS else "f32"


def _metadata_of(path: Path, form: str) -> str:
    readers = {"openvino": _openvino_metadata, "coreml": _coreml_metadata}
    return readers.get(form, _zip_metadata)(path)


def _onnx_metadata(path: Path) -> str:
    import onnx

    found: dict[str, str] = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    return found[METADATA]


def _coreml_metadata(path: Path) -> str:
    import coremltools

    try:
        return str(coremltools.utils.load_spec(str(path)).description.metadata.userDefined[METADATA])
    except Exception as error:  # coremltools' own errors
        raise BundleError(f"{path} is damaged, or was not exported by Headstart: export the model again.") from error


def _openvino_metadata(path: Path) -> str:
    import openvino

    try:
        model = openvino.Core().read_model(path)
        return str(model.get_rt_info(["headstart", "metadata"]).astype(str))
    except RuntimeError as error:
        raise BundleError(f"{path} is damaged, or was not exported by Headstart: export the model again.") from error


def _zip_metadata(path: Path) -> str:
    """Torch's and LiteRT's: read from the archive itself; nothing in it is loaded before its origin is known."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = next((name for name in archive.namelist() if f"/{name}".endswith(f"/{METADATA}")), "")
            return archive.read(name).decode()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is damaged, or was not exported by Headstart: export the model again.") from error


def _check_origin(path: Path, text: str, predictor: Predictor) -> None:
    try:
        metadata: Mapping[str, Any] = json.loads(text)
        made_of = metadata["fingerprint"]
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} was not exported by Headstart: it says nothing of its model.") from error
    if made_of != model_fingerprint(predictor):
        raise BundleError(f"{path} was exported from another model than the one that was given: give its own.")
