"""Prediction of as many files as a list names, in bounded memory, to a file that survives a kill.

The list is read a thousand lines at a time; each thousand is predicted, written and committed before the next. A run
that was stopped goes on where it was: no row is lost, written twice, or half written. Rows come in the list's order.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from headstart import fingerprint
from headstart.device import FULL, choose_device
from headstart.errors import DataError, MissingExtra, OptionError
from headstart.model.export.graph import model_fingerprint
from headstart.progress import bar
from headstart.storage.resumable import ResumableFile, open_resumable

if TYPE_CHECKING:
    from headstart.device import Device
    from headstart.model.predictor import Predictor

CHUNK = 1000
"""Rows that are predicted and committed together: what a kill can cost."""
_PARQUET_ROWS = 20_000
FORMS = (".csv", ".jsonl", ".parquet")


@dataclass(frozen=True)
class ListResult:
    """What was written. rows: in all. before: of them by earlier runs. counts: of each class. seconds: of this run."""

    path: Path
    rows: int
    before: int
    unreadable: int
    accepted: int | None
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def predict_list(
    model: Path | str | Predictor,
    files: Path | str,
    output: Path | str,
    *,
    max_error: float | None = None,
    device: str = "auto",
    precision: str = FULL,
    cache: bool = False,
    overwrite: bool = False,
) -> ListResult:
    """Class probabilities of all images that a list names, in a file.

    Parameters
    ----------
    model : path or Predictor
        The folder of a saved model, or a model that was loaded.
    files : path
        A text file with the path of an image in each line.
    output : path
        answers.csv, answers.jsonl or answers.parquet: image, class, confidence, novelty, decision, reason, why it could
        not be read, and a column a class.
    max_error : float, optional
        The guarantee behind the decision; default: what the model was trained with. Batch shift is not tested here.
    device, precision : str
        As for `predict`.
    cache : bool
        Take embeddings from the cache folder where they are there, and keep new ones in it.
    overwrite : bool
        Replace what is there, and forget what was begun.

    Returns
    -------
    ListResult
        How many rows there are, and how many of them an earlier run had written.

    Raises
    ------
    OptionError
        The output is there already, was begun with another list or model, or has another ending.
    DataError
        The list cannot be read or is empty.
    MissingExtra
        Parquet needs pyarrow.

    Examples
    --------
    ::

        headstart.predict_list("model/", "files.txt", "answers.csv").rows
    """
    from headstart.model.load import load_model

    path, listed = Path(output), Path(files)
    _check_output(path, overwrite=overwrite)
    total = _count_lines(listed)
    predictor = load_model(model) if isinstance(model, (str, os.PathLike)) else model
    trained_with_one = predictor.trust is not None and predictor.trust.default_guarantee is not None
    triage = predictor.triage(max_error) if trained_with_one or max_error is not None else None
    thresholds = None if triage is None else triage.thresholds
    identity = fingerprint.hash_parts(
        *("list", fingerprint.hash_file(listed), model_fingerprint(predictor), path.suffix, precision),
        None if thresholds is None else list(thresholds),
    )
    chosen = choose_device(device, precision=precision)
    begun = time.perf_counter()
    with open_resumable(path, identity, restart=overwrite) as growing:
        before = int(growing.state.get("rows", 0))
        _grow(growing, listed, total, _Answers(predictor, triage, chosen, path.suffix, cache))
        state = growing.state
        if path.suffix == ".parquet":
            _to_parquet(growing.partial, path, predictor.classes)
            growing.discard()
        else:
            growing.finish()
    return ListResult(
        path,
        int(state["rows"]),
        before,
        int(state["unreadable"]),
        None if triage is None else int(state["accepted"]),
        dict(state["counts"]),
        time.perf_counter() - begun,
    )


def _check_output(path: Path, *, overwrite: bool) -> None:
    if path.suffix not in FORMS:
        raise OptionError(f"-o {path} must end in {', '.join(FORMS[:-1])} or {FORMS[-1]}: name it so.")
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise MissingExtra("writing Parquet", "parquet", "pyarrow")
    if path.is_dir() or (path.exists() and not overwrite):
        raise OptionError(f"{path} is there already: choose another -o, or say --overwrite (overwrite=True).")
    parent = next((p for p in path.absolute().parents if p.exists()), Path("/"))
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise OptionError(f"{path} cannot be written: {parent} cannot be written to. Choose another -o.")


def _count_lines(listed: Path) -> int:
    try:
        with listed.open("rb") as file:
            total = sum(1 for line in file if line.strip())
    except OSError as error:
        raise DataError(f"the list {listed} cannot be read: {error.strerror}.") from error
    if not total:
        raise DataError(f"the list {listed} names no file: write the path of an image into each line.")
    return total


def _chunks(file: IO[bytes]) -> Iterator[tuple[list[Path], int]]:
    """Paths, a thousand at a time, with the position in the list behind them."""
    while lines := list(itertools.islice(iter(file.readline, b""), CHUNK)):
        paths = [Path(os.fsdecode(line.rstrip(b"\r\n"))) for line in lines if line.strip()]
        yield paths, file.tell()


def _grow(growing: ResumableFile, listed: Path, total: int, answers: _Answers) -> None:
    """Predict what is left of the list and commit it piece by piece."""
    state = dict(growing.state) or {"position": 0, "rows": 0, "unreadable": 0, "accepted": 0, "counts": {}}
    if not growing.state:
        growing.commit(answers.header(), state)
    with listed.open("rb") as file, bar("predicting", total) as advance:
        file.seek(state["position"])
        advance(state["rows"])
        for paths, position in _chunks(file):
            piece, unreadable, accepted, counts = answers.rows(paths)
            state = {
                "position": position,
                "rows": state["rows"] + len(paths),
                "unreadable": state["unreadable"] + unreadable,
                "accepted": state["accepted"] + accepted,
                "counts": dict(Counter(state["counts"]) + counts),
            }
            growing.commit(piece, state)
            advance(len(paths))


@dataclass(frozen=True, eq=False)
class _Answers:
    """Makes the rows of a file: CSV lines, or JSON objects a line."""

    predictor: Predictor
    triage: Any
    device: Device
    suffix: str
    cache: bool

    @property
    def columns(self) -> list[str]:
        """Names of the columns before the classes."""
        return ["image", "class", "confidence", "novelty", "decision", "reason", "unreadable"]

    def header(self) -> bytes:
        """The first line of a CSV file; nothing for the others."""
        return _csv_line([*self.columns, *self.predictor.classes]) if self.suffix == ".csv" else b""

    def rows(self, paths: Sequence[Path]) -> tuple[bytes, int, int, Counter[str]]:
        """The lines of these images; how many are unreadable and accepted, and of which class they are."""
        if not paths:
            return b"", 0, 0, Counter()
        predictions = self.predictor.predict(paths, device=self.device, cache=self.cache)
        decisions = [("", "")] * len(paths)
        if self.triage is not None:
            from headstart.trust.triage.decide import decide

            assert self.predictor.trust is not None  # there is no triage without it
            counts = self.predictor.trust.reference_counts()
            decided = decide(predictions, self.triage, counts, None, on_shift="warn")
            decisions = list(zip(decided.words, decided.reasons, strict=True))
        lines = []
        for row, decision, values in zip(predictions, decisions, predictions.probabilities, strict=True):
            cells = [row.name, row.label, row.confidence, row.novelty, *decision, row.reason]
            lines.append(self._line(cells, None if row.label is None else values))
        accepted = sum(word == "accept" for word, _ in decisions)
        classes = Counter(label for label in predictions.labels if label is not None)
        return b"".join(lines), len(predictions.failures), accepted, classes

    def _line(self, cells: list[Any], values: Any) -> bytes:
        numbers = [None if values is None else round(float(p), 6) for p in (values if values is not None else [])]
        rounded = [round(c, 6) if isinstance(c, float) else c for c in cells]
        if self.suffix == ".csv":
            missing = [""] * len(self.predictor.classes) if values is None else numbers
            return _csv_line(["" if c is None else c for c in rounded] + list(missing))
        record = dict(zip(self.columns, rounded, strict=True))
        record["probabilities"] = None if values is None else dict(zip(self.predictor.classes, numbers, strict=True))
        return (json.dumps(record) + "\n").encode()


def _csv_line(cells: Sequence[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _to_parquet(rows: Path, path: Path, classes: Sequence[str]) -> None:
    """JSON lines as a Parquet file, a block at a time, whole or not at all."""
    import pyarrow as pa
    from pyarrow import parquet

    words = ("image", "class", "decision", "reason", "unreadable")
    schema = pa.schema(
        [("image", pa.string()), ("class", pa.string()), ("confidence", pa.float32()), ("novelty", pa.float32())]
        + [(name, pa.string()) for name in words[2:]]
        + [(f"p:{name}", pa.float32()) for name in classes]
    )
    beside = path.with_name(f".{path.name}.whole")
    try:
        with rows.open("rb") as file, parquet.ParquetWriter(beside, schema) as writer:
            while block := list(itertools.islice(file, _PARQUET_ROWS)):
                records = [json.loads(line) for line in block]
                for record in records:
                    probabilities = record.pop("probabilities") or {}
                    record.update({f"p:{name}": probabilities.get(name) for name in classes})
                writer.write_table(pa.Table.from_pylist(records, schema))
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
