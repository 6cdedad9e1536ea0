"""Exports a detector or segmenter as one ONNX graph, and proves that the export answers as the model does.

The file gets its name only where ONNX Runtime and OpenVINO both give the model's answers. Nothing but ONNX is written.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.checks import quantity
from headstart.data.sources.load import find_images
from headstart.errors import BundleError, DataError, OptionError
from headstart.model.export import formats, runtimes
from headstart.model.export.graph import METADATA, ExportGraph, require_onnx
from headstart.model.export.spatial.graph import OUTPUTS, build_spatial_graph, spatial_fingerprint
from headstart.model.export.spatial.parity import SpatialCheck, check_spatial_parity, readable_items

if TYPE_CHECKING:
    from headstart.model.spatial.predictor import SpatialPredictor

MOST_CHECKED = 50
"""Images that are compared, evenly drawn."""


@dataclass(frozen=True, eq=False)
class SpatialExport:
    """What was exported. path: the file. bytes: its size. outputs: their names. checks: the proof."""

    path: Path
    bytes: int
    outputs: tuple[str, ...]
    checks: tuple[SpatialCheck, ...]


def export_spatial(
    predictor: SpatialPredictor, output: Path | str, *, check: Any = None, overwrite: bool = False
) -> SpatialExport:
    """Write a detector or segmenter as an ONNX file, from pixels of any size to boxes or a class map.

    check: images to compare with. Raises `DataError` where the export answers differently or no image can be read,
    `OptionError` for a place that cannot be written, `MissingExtra` without onnx or onnxruntime.
    """
    path = Path(output)
    if path.suffix != formats.SUFFIXES["onnx"]:
        raise OptionError(
            f"models of {predictor.task.name} are exported as ONNX alone: name the file {path.stem}.onnx."
        )
    if path.exists() and (path.is_dir() or not overwrite):
        raise OptionError(f"{path} is there already: choose another -o, or say --overwrite (overwrite=True).")
    require_onnx()
    runtimes.require_runtimes("onnx")
    items, names = _images(predictor, check)
    exported = build_spatial_graph(predictor)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name[:40]}-", suffix=".partial", dir=path.parent) as partial:
        file = formats.write_files(exported, "onnx", Path(partial), path.stem)[0]
        checks = check_spatial_parity(predictor, file, items, names, exported)
        failed = [entry for entry in checks if not entry.passed]
        if failed:
            raise DataError(f"nothing was exported: {difference_words(failed[0])}.")
        size = file.stat().st_size
        file.replace(path)
    return SpatialExport(path, size, exported.outputs, checks)


def verify_spatial(file: Path | str, predictor: SpatialPredictor, images: Any) -> tuple[SpatialCheck, ...]:
    """How far an exported file's answers are from its model's, on images. Raises `BundleError` for another's file."""
    path = Path(file)
    require_onnx("verifying an exported model")
    runtimes.require_runtimes("onnx", "verifying an exported model")
    exported = _read(path, predictor)
    items, names = _images(predictor, images)
    return check_spatial_parity(predictor, path, items, names, exported)


def difference_words(check: SpatialCheck) -> str:
    """How far the answers of a comparison are apart, in a phrase."""
    where = f"in {check.runtime} ({check.kind}); the worst image is {check.worst}"
    if check.task == "masks":
        return f"the class of {100 * check.largest:.2g} % of an image's pixels differs {where}"
    return (
        f"a box lies {check.largest:.2g} pixels off, a score {check.score:.2g}, and "
        f"{quantity(check.alone, 'box', 'boxes')} of {check.answers:,} have no counterpart {where}"
    )


def _images(predictor: SpatialPredictor, check: Any) -> tuple[list[Any], list[str]]:
    if not check:
        raise DataError(
            f"there is no image to compare the export with: models of {predictor.task.name} keep none. Name some with "
            "--check IMAGES (from Python, check=…)."
        )
    samples = find_images(check)
    step = -(-len(samples) // MOST_CHECKED)
    items, names = list(samples.items[::step]), list(samples.names[::step])
    rows = readable_items(predictor, items)
    if not rows:
        raise DataError("none of the images to compare with can be read: name others.")
    return [items[row] for row in rows], [names[row] for row in rows]


def _read(path: Path, predictor: SpatialPredictor) -> ExportGraph:
    import onnx

    if not path.is_file() or path.suffix != ".onnx":
        raise OptionError(f"{path} is no exported ONNX file: give what 'headstart export' wrote.")
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
        texts = {entry.key: entry.value for entry in model.metadata_props}
        made_of = json.loads(texts[METADATA])["fingerprint"]
    except Exception as error:  # protobuf's own errors, which differ by its version
        raise BundleError(f"{path} is damaged, or was not exported by Headstart: export the model again.") from error
    if made_of != spatial_fingerprint(predictor):
        raise BundleError(f"{path} was exported from another model than the one that was given: give its own.")
    return ExportGraph(model, OUTPUTS[predictor.task.name], {})
