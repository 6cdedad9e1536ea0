"""Exports a saved model for other runtimes, and proves that the export answers as the model does.

`export` builds the graph, writes it beside its final name, runs it in its real runtimes beside the model, and gives it
its name only where all comparisons hold. `verify` makes the same comparisons of a file at any time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import one_of
from headstart.data.images.decode import read_image
from headstart.data.sources.load import find_images
from headstart.errors import DataError, UnreadableImage
from headstart.model.export import formats, runtimes
from headstart.model.export.graph import ExportGraph, build_graph, require_onnx
from headstart.model.export.parity import Parity, check_parity
from headstart.model.export.precision import check_precision, refuse_precision, with_precision
from headstart.model.export.reading import form_of, read_exported, read_precision
from headstart.model.export.site import take_runtime, write_site
from headstart.model.golden import read_golden
from headstart.model.load import load_with_bundle
from headstart.model.spatial.predictor import SpatialPredictor
from headstart.verbs.export_place import ExportResult, check_place, failure_words, publish, triage_of
from headstart.verbs.export_texts import export_texts, is_bundle_of_texts, verify_texts
from headstart.verbs.spatial.export import SpatialExport, export_spatial, verify_spatial
from headstart.verbs.spatial.python import SpatialParity, refuse_given, spatial_model

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor

FORMATS = ("onnx", "openvino", "torch", "litert", "coreml", "web")
MOST_CHECKED = 200
"""Images of --check that are run, evenly drawn: a comparison of more says no more."""


@dataclass(frozen=True, eq=False)
class _Pictures:
    """What is compared: whole images as pixels with their names, and files."""

    images: Sequence[NDArray[np.uint8]]
    names: Sequence[str]
    files: Sequence[Path] = ()


def export(
    model: Path | str | Predictor | SpatialPredictor,
    output: Path | str,
    *,
    to: str = "onnx",
    precision: str = "f32",
    check: Any = None,
    max_error: float | None = None,
    web_runtime: Path | str | None = None,
    overwrite: bool = False,
) -> ExportResult | SpatialExport:
    """Export a saved model as one graph, from pixels of any size to calibrated probabilities.

    Parameters
    ----------
    model : path or Predictor
        The folder of a saved model, or a model that was loaded from one.
    output : path
        The file to write: model.onnx, model.xml (OpenVINO), model.pt2 (torch.export), model.tflite (LiteRT),
        model.mlpackage (Core ML), or a folder for 'web' and for models of texts.
    to : str
        'onnx', 'openvino', 'torch', 'litert', 'coreml' or 'web'.
    precision : str
        'f32'; 'f16', which stores halves and computes in single precision (in halves on Core ML); 'bf16', for OpenVINO.
    check : path or sequence of paths, optional
        Images to compare with besides the golden images that the bundle keeps; needed where it keeps none, as of boxes
        and masks. Of a model of texts: files or texts, always needed, because no text is kept with a model.
    max_error : float, optional
        The guarantee behind the output `decision`; default: what the model was trained with.
    web_runtime : path, optional
        For 'web', the first time: the archive that `npm pack onnxruntime-web` fetches.
    overwrite : bool
        Replace what is there.

    Returns
    -------
    ExportResult or SpatialExport
        The file, and how far its answers are from the model's; the second of boxes and masks.

    Raises
    ------
    DataError
        The export answers differently: nothing is written. Or there are no images to compare with.
    OptionError
        An unknown format, a precision that it cannot have, a place that cannot be written to, a head that cannot be
        exported, a converter that is not installed.
    MissingExtra
        onnx or onnxruntime is not installed.

    Examples
    --------
    ::

        headstart.export("model/", "model.onnx").parity.passed
    """
    one_of("to", to, FORMATS)
    path = Path(output)
    detector = spatial_model(model)
    if detector is not None:
        other = None if to == "onnx" else to
        refuse_given(detector, to=other, max_error=max_error, web_runtime=web_runtime)
        return export_spatial(detector, path, check=check, overwrite=overwrite)
    assert not isinstance(model, SpatialPredictor)
    if is_bundle_of_texts(model):
        refuse_precision(precision, "texts")
        return export_texts(model, path, to=to, check=check, max_error=max_error, overwrite=overwrite)
    check_place(path, to, overwrite=overwrite)
    check_precision(precision, to)
    form = "onnx" if to == "web" else to
    require_onnx()
    page_runtime = take_runtime(None if web_runtime is None else Path(web_runtime)) if to == "web" else {}
    runtimes.require_runtimes(form)
    predictor, saved = load_with_bundle(model)
    pictures = _pictures(read_golden(saved), check)
    triage = triage_of(predictor, max_error)
    exported = with_precision(build_graph(predictor, triage, precision), precision)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name[:40]}-", suffix=".partial", dir=path.parent) as partial:
        if to == "web":
            files = write_site(exported, Path(partial), predictor, page_runtime)
        else:
            files = formats.write_files(exported, to, Path(partial), path.stem)
        parity = _compare(predictor, exported, files[0], form, pictures, precision)
        if not parity.passed:
            raise DataError(f"nothing was exported: {failure_words(parity.failed[0])}.")
        files = files[1:] if to == "web" else files
        size = sum(inner.stat().st_size for file in files for inner in (file, *file.rglob("*")) if inner.is_file())
        publish(files, Path(partial), path, to)
    return ExportResult(path, to, size, exported.outputs, parity, (*exported.notes, *_notes(to, precision)))


def verify(
    file: Path | str, model: Path | str | Predictor | SpatialPredictor, images: Any = None
) -> Parity | SpatialParity:
    """How far an exported file's answers are from its model's.

    Parameters
    ----------
    file : path
        What `export` wrote: model.onnx, model.xml or model.pt2.
    model : path or Predictor
        The saved model that it was made of.
    images : path or sequence of paths, optional
        Images to compare with besides the golden images that the bundle keeps.

    Returns
    -------
    Parity or SpatialParity
        Every comparison; `passed` where all stay within their limits.

    Raises
    ------
    BundleError
        The file is damaged, or was made of another model.
    DataError
        There are no images to compare with.

    Examples
    --------
    ::

        headstart.verify("model.onnx", "model/").passed
    """
    path = Path(file)
    detector = spatial_model(model)
    if detector is not None:
        return SpatialParity(verify_spatial(path, detector, images))
    assert not isinstance(model, SpatialPredictor)
    if is_bundle_of_texts(model):
        return verify_texts(path, model, images)
    form = form_of(path)
    runtimes.require_runtimes(form, "verifying an exported model")
    predictor, saved = load_with_bundle(model)
    exported = read_exported(path, predictor)
    pictures = _pictures(read_golden(saved), images)
    return _compare(predictor, exported, path, form, pictures, read_precision(path))


def _notes(to: str, precision: str) -> tuple[str, ...]:
    """What the proof does not say."""
    notes = []
    if not runtimes.RUNTIMES.get(to, (to,)):
        notes.append("not verified here: Core ML predicts on macOS alone. Run 'headstart verify' there.")
    if to in runtimes.CORE_FORMATS:
        notes.append("The file takes squares: resample each image first as docs/deploy/mobile.md says.")
    if precision == "bf16" and not runtimes.computes_bf16():
        notes.append("This processor has no bfloat16: what it computes in singles was compared, not the other.")
    return tuple(notes)


def _compare(
    predictor: Predictor, exported: ExportGraph | None, path: Path, form: str, pictures: _Pictures, precision: str
) -> Parity:
    return check_parity(
        predictor,
        path,
        runtimes.RUNTIMES[form],
        pictures.images,
        pictures.names,
        graph=exported if form == "onnx" else None,
        files=pictures.files,
        precision=precision,
        squares_only=form in runtimes.CORE_FORMATS,
    )


def _pictures(golden: Any, check: Any) -> _Pictures:
    """Golden images and those of --check. Raises `DataError` where there are neither."""
    images = [] if golden is None else golden.images()
    names = [f"golden image {number + 1}" for number in range(len(images))]
    files: list[Path] = []
    if check is not None:
        samples = find_images(check)
        step = -(-len(samples) // MOST_CHECKED)
        files = [item for item in samples.items[::step] if isinstance(item, Path)]
        for item in files:
            try:
                images.append(np.asarray(read_image(item)))
                names.append(str(item))
            except UnreadableImage:
                continue
    if not images:
        raise DataError(
            "there is no image to compare the export with: the bundle keeps no golden images. Name some with "
            "--check IMAGES (from Python, check=…)."
        )
    return _Pictures(images, names, files)
