"""Predictions with what was decided on each image, as records for JSON and as CSV.

Takes predictions and, where they were asked for, decisions and sets of classes. Nothing is predicted here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.records.predictions import Decisions, Prediction, Predictions
from headstart.report.numbers import percent
from headstart.report.words import carried_words
from headstart.verbs.explain import Explanation


@dataclass(frozen=True, eq=False)
class PredictionTable:
    """Predictions, a row an image.

    decisions: row for row, where a guarantee was asked for. in_set: (n, classes) bool, the set of classes that each
    image may be, where sets were asked for. words: which words carried each text's answer, where that was asked for.
    """

    predictions: Predictions
    decisions: Decisions | None = None
    in_set: NDArray[np.bool_] | None = None
    words: Sequence[Explanation] = ()

    def sets(self) -> list[list[str]]:
        """The names of the classes in each image's set."""
        if self.in_set is None:
            return []
        return [[self.predictions.classes[k] for k in row.nonzero()[0]] for row in self.in_set]

    def further_columns(self, separator: str) -> dict[str, Sequence[str]]:
        """What there is of each image besides its class, confidence and novelty: why it could not be read, where there
        is such an image; decision and reason; set. separator: between a set's classes."""
        columns: dict[str, Sequence[str]] = {}
        if self.predictions.failures:
            columns["unreadable"] = [row.reason for row in self.predictions]
        if self.decisions is not None:
            columns["decision"], columns["reason"] = self.decisions.words, self.decisions.reasons
        if self.in_set is not None:
            columns["set"] = [separator.join(names) for names in self.sets()]
        if self.words:
            columns["because of"] = [carried_words(explanation) for explanation in self.words]
        return columns

    def second_choices(self) -> list[str]:
        """The second most probable class of each image with its probability; empty where there is one class."""
        probabilities = self.predictions.probabilities
        if probabilities.shape[1] < 2:
            return [""] * len(probabilities)
        second = np.argsort(-probabilities, axis=1, kind="stable")[:, 1]
        return [
            f"{self.predictions.classes[k]} {percent(float(row[k]))}" if readable else ""
            for k, row, readable in zip(second.tolist(), probabilities, self.predictions.readable, strict=True)
        ]

    def marks(self) -> list[str]:
        """'unreadable', 'novel', 'unsure' (the second class is at least half as probable as the first) or ''."""
        ordered = np.sort(self.predictions.probabilities, axis=1)
        unsure = ordered[:, -2] >= ordered[:, -1] / 2 if ordered.shape[1] > 1 else np.zeros(len(ordered), bool)
        conditions = [~self.predictions.readable, self.predictions.novel, unsure]
        return [str(mark) for mark in np.select(conditions, ["unreadable", "novel", "unsure"], default="")]

    def to_records(self) -> list[dict[str, Any]]:
        """One JSON-like record an image: its name, class, confidence and every class's probability; novelty where the
        model watches it (above 1 is novel), the decision with its reason, the set of classes."""
        predictions, sets = self.predictions, self.sets()
        records = [
            _record(row, predictions.classes, p) for row, p in zip(predictions, predictions.probabilities, strict=True)
        ]
        for i, record in enumerate(records):
            if predictions.novelty is not None and predictions.readable[i]:
                record |= {"novelty": float(f"{predictions.novelty[i]:.6g}"), "novel": bool(predictions.novel[i])}
            if self.decisions is not None:
                record |= {"decision": self.decisions.words[i], "reason": self.decisions.reasons[i]}
            if self.in_set is not None:
                record["set"] = sets[i]
            if self.words:
                record["words"] = self.words[i].to_dict()
        return records

    def to_csv(self) -> str:
        """A header and a line an image: image, class, confidence, further columns, then one column a class."""
        predictions, columns = self.predictions, self.further_columns("|")
        if predictions.novelty is not None:
            columns = {"novelty": ["" if np.isnan(v) else f"{v:.6g}" for v in predictions.novelty], **columns}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["image", "class", "confidence", *columns, *predictions.classes])
        rows = zip(predictions.names, predictions.labels, predictions.probabilities, strict=True)
        for i, (name, label, row) in enumerate(rows):
            cells = [column[i] for column in columns.values()]
            numbers = ["" if label is None else f"{p:.6f}" for p in (row.max(), *row)]
            writer.writerow([name, label or "", numbers[0], *cells, *numbers[1:]])
        return text.getvalue()


def _record(row: Prediction, classes: Sequence[str], probabilities: NDArray[Any]) -> dict[str, Any]:
    """A prediction as JSON-able values; of an image that could not be read, the reason."""
    if row.label is None or row.confidence is None:
        return {"image": row.name, "class": None, "confidence": None, "probabilities": None, "unreadable": row.reason}
    return {
        "image": row.name,
        "class": row.label,
        "confidence": round(row.confidence, 6),
        "probabilities": {c: round(float(p), 6) for c, p in zip(classes, probabilities, strict=True)},
    }
