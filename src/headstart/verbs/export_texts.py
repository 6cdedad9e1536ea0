"""Exports a saved model of texts, and proves that the export answers as the model does, on texts that the user names.

No text of the training data is kept with a model, so that there is nothing private in it: the texts to compare with
are always named. The file, its tokeniser and its description lie side by side. Called by `verbs.export`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headstart.data.texts.items import plain_text
from headstart.errors import DataError, OptionError, UnreadableImage
from headstart.model.export import formats, runtimes
from headstart.model.export.graph import require_onnx
from headstart.model.export.parity import Parity
from headstart.model.export.reading import form_of, read_exported
from headstart.model.export.texts import (
    build_text_graph,
    check_beside,
    check_text_parity,
    is_text_model,
    rounding_note,
    write_beside,
)
from headstart.model.load import load_with_bundle
from headstart.model.predictor import Predictor
from headstart.verbs.export_place import ExportResult, check_place, failure_words, publish, triage_of

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMATS = ("onnx", "openvino")
MOST_CHECKED = 200
"""Texts of --check that are run, evenly drawn."""
_STEM = "model"


def is_bundle_of_texts(model: Any) -> bool:
    """Whether a saved or loaded model takes texts."""
    return is_text_model(load_with_bundle(model)[0])


def export_texts(
    model: Path | str | Predictor, output: Path, *, to: str, check: Any, max_error: float | None, overwrite: bool
) -> ExportResult:
    """As `verbs.export.export`, for texts. output: a file, or a folder that the files are put into."""
    if to not in FORMATS:
        raise OptionError(
            f"a model of texts is exported as 'onnx' or 'openvino', and {to!r} was asked for: say --to onnx."
        )
    path = output if output.suffix == formats.SUFFIXES[to] else output / f"{_STEM}{formats.SUFFIXES[to]}"
    check_place(path, to, overwrite=overwrite)
    require_onnx()
    runtimes.require_runtimes(to)
    predictor, _ = load_with_bundle(model)
    texts, names = _texts(predictor, check)
    exported = build_text_graph(predictor, triage_of(predictor, max_error))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.stem[:40]}-", suffix=".partial", dir=path.parent) as partial:
        files = formats.write_files(exported, to, Path(partial), path.stem)
        parity = check_text_parity(predictor, files[0], runtimes.RUNTIMES[to], texts, names)
        if not parity.passed:
            raise DataError(f"nothing was exported: {failure_words(parity.failed[0])}.")
        files += write_beside(exported, predictor, Path(partial), path.stem)
        size = sum(file.stat().st_size for file in files)
        publish(files, Path(partial), path, to)
    notes = (*exported.notes, *rounding_note(predictor, texts))
    return ExportResult(path, to, size, exported.outputs, parity, notes)


def verify_texts(file: Path, model: Path | str | Predictor, check: Any) -> Parity:
    """As `verbs.export.verify`, for texts. file: an exported file, or the folder that it was put into."""
    path = file / f"{_STEM}{formats.SUFFIXES[FORMATS[0]]}" if file.is_dir() else file
    form = form_of(path)
    runtimes.require_runtimes(form, "verifying an exported model")
    predictor, _ = load_with_bundle(model)
    read_exported(path, predictor)
    check_beside(path, predictor)
    return check_text_parity(predictor, path, runtimes.RUNTIMES[form], *_texts(predictor, check))


def _texts(predictor: Predictor, check: Any) -> tuple[Sequence[str], Sequence[str]]:
    """The texts to compare with, and their names. Raises `DataError` where none were given."""
    if check is None:
        raise DataError(
            "there is no text to compare the export with: no text of the training data is kept with a model. Name "
            "some with --check FILE (from Python, check=…), such as the table that it was trained on."
        )
    samples = predictor.parts[0].backbone.spec.find(check)
    step = -(-len(samples) // MOST_CHECKED)
    texts: list[str] = []
    names: list[str] = []
    for item, name in zip(samples.items[::step], samples.names[::step], strict=True):
        try:
            plain_text(item)
        except UnreadableImage:
            continue
        texts.append(str(item))
        names.append(name)
    if not texts:
        raise DataError("of the texts to compare the export with none could be read: name others with --check FILE.")
    return texts, names
