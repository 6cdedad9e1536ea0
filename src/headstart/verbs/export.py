"""Exports a saved model for other runtimes, and proves that the export answers as the model does.

`export` builds the graph, writes it beside its final name, runs it in its real runtimes beside the model, and gives it
its name only where all comparisons hold. `verify` makes the same comparisons of a file at any time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import one_of
from headstart.data.images.decode import read_image
from headstart.data.images.spec import ImageSpec
from headstart.data.sources.load import find_images
from headstart.errors import DataError, OptionError, UnreadableImage
from headstart.model.export import formats, runtimes
from headstart.model.export.graph import ExportGraph, build_graph, require_onnx
from headstart.model.export.parity import Check, Parity, check_parity
from headstart.model.export.precision import check_precision, with_precision
from headstart.model.export.reading import form_of, read_exported, read_precision
from headstart.model.export.site import take_runtime, write_site
from headstart.model.golden import read_golden
from headstart.model.load import load_with_bundle

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor
    from headstart.trust.triage.records import Triage

FORMATS = ("onnx", "openvino", "torch", "litert", "coreml", "web")
MOST_CHECKED = 200
"""Images of --check that are run, evenly drawn: a comparison of more says no more."""


@dataclass(frozen=True)
class ExportResult:
    """What was exported. path: the main file or the folder. bytes: of all files. parity: the proof."""

    path: Path
    form: str
    bytes: int
    outputs: tuple[str, ...]
    parity: Parity
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Pictures:
    """What is compared: whole images as pixels with their names, and files."""

    images: Sequence[NDArray[np.uint8]]
    names: Sequence[str]
    files: Sequence[Path] = ()


def export(
    model: Path | str | Predictor,
    output: Path | str,
    *,
    to: str = "onnx",
    precision: str = "f32",
    check: Any = None,
    max_error: float | None = None,
    web_runtime: Path | str | None = None,
    overwrite: bool = False,
) -> ExportResult:
    """Export a saved model as one graph, from pixels of any size to calibrated probabilities.

    Parameters
    ----------
    model : path or Predictor
        The folder of a saved model, or a model that was loaded from one.
    output : path
        The file to write: model.onnx, model.xml (OpenVINO), model.pt2 (torch.export), model.tflite (LiteRT),
        model.mlpackage (Core ML), or a folder for 'web'.
    to : str
        'onnx', 'openvino', 'torch', 'litert', 'coreml' or 'web'.
    precision : str
        'f32'; 'f16', which stores halves and computes in single precision (in halves on Core ML); 'bf16', for OpenVINO.
    check : path or sequence of paths, optional
        Images to compare with besides the golden images that the bundle keeps; needed where it keeps none.
    max_error : float, optional
        The guarantee behind the output `decision`; default: what the model was trained with.
    web_runtime : path, optional
        For 'web', the first time: the archive that `npm pack onnxruntime-web` fetches.
    overwrite : bool
        Replace what is there.

    Returns
    -------
    ExportResult
        The file, and how far its answers are from the model's.

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
    _check_place(path, to, overwrite=overwrite)
    check_precision(precision, to)
    form = "onnx" if to == "web" else to
    require_onnx()
    page_runtime = take_runtime(None if web_runtime is None else Path(web_runtime)) if to == "web" else {}
    runtimes.require_runtimes(form)
    predictor, saved = load_with_bundle(model)
    _check_images(predictor)
    pictures = _pictures(read_golden(saved), check)
    triage = _triage(predictor, max_error)
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
        _publish(files, Path(partial), path, to)
    return ExportResult(path, to, size, exported.outputs, parity, (*exported.notes, *_notes(to, precision)))


def verify(file: Path | str, model: Path | str | Predictor, images: Any = None) -> Parity:
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
    Parity
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
    form = form_of(path)
    runtimes.require_runtimes(form, "verifying an exported model")
    predictor, saved = load_with_bundle(model)
    exported = read_exported(path, predictor)
    pictures = _pictures(read_golden(saved), images)
    return _compare(predictor, exported, path, form, pictures, read_precision(path))


def failure_words(check: Check) -> str:
    """What is wrong with a comparison that failed, in a phrase."""
    if check.flips or check.kind == "files":
        same = f"{check.same_labels:,} of {check.images:,} labels are the model's"
        return f"in {check.runtime} {same} ({check.kind}); the worst image is {check.worst}"
    return (
        f"in {check.runtime} a probability differs by {check.largest:.2g} ({check.kind}); the worst image is "
        f"{check.worst}"
    )


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


def _triage(predictor: Predictor, max_error: float | None) -> Triage | None:
    asked = predictor.trust is not None and predictor.trust.default_guarantee is not None
    return predictor.triage(max_error) if asked or max_error is not None else None


def _check_images(predictor: Predictor) -> None:
    """Raise `OptionError` for a model of texts."""
    modality = predictor.parts[0].backbone.spec.modality
    if modality != ImageSpec.modality:
        raise OptionError(
            f"models of {modality}s are not exported yet, only those of pictures: use 'headstart predict', "
            "or headstart.load in Python."
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


def _check_place(path: Path, to: str, *, overwrite: bool) -> None:
    """Raise `OptionError` before any work where the result could not be put there."""
    suffix = formats.SUFFIXES.get(to)
    if suffix is not None and path.suffix != suffix:
        raise OptionError(f"-o {path} does not end in {suffix}, as files of the format {to!r} do: name it so.")
    if path.exists() and not overwrite:
        raise OptionError(f"{path} is there already: choose another -o, or say --overwrite (overwrite=True).")
    if path.exists() and path.is_dir() != (to in ("web", "coreml")):
        raise OptionError(f"{path} is {'a folder' if path.is_dir() else 'a file'}: choose another -o.")
    if to == "web" and path.is_dir() and any(path.iterdir()) and not (path / "headstart.json").is_file():
        raise OptionError(f"{path} holds other things, which would be lost: choose a new folder with -o.")
    parent = next((p for p in path.absolute().parents if p.exists()), Path("/"))
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise OptionError(f"{path} cannot be written: {parent} cannot be written to. Choose another -o.")


def _publish(files: Sequence[Path], partial: Path, path: Path, to: str) -> None:
    """Give the files their names, the main one last."""
    if to == "web":
        folder = partial / "site"
        folder.mkdir()
        for file in files:
            file.replace(folder / file.name)
        if path.exists():
            shutil.rmtree(path)
        folder.replace(path)
        return
    for file in reversed(files):
        place = path.with_suffix(file.suffix)
        if place.is_dir():
            shutil.rmtree(place)
        file.replace(place)
