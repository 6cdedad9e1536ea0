"""What a detector or segmenter saw, a JSON-like record an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.report.box_files import records

if TYPE_CHECKING:
    from headstart.model.spatial.predictor import SpatialAnswers


def answer_records(answers: SpatialAnswers, task: str) -> list[dict[str, Any]]:
    """Of boxes the objects with class, score and box; of masks the percents of the pixels a class."""
    if task == "boxes":
        return records(answers.names, answers.answers, answers.classes)
    return [
        {"image": name, "unreadable": True}
        if answer is None
        else {"image": name, "percent": counts(answer, task, answers.classes)}
        for name, answer in zip(answers.names, answers.answers, strict=True)
    ]


def counts(answer: Any, task: str, classes: Sequence[str]) -> dict[str, int]:
    """Objects a class, or percents of the pixels a class, the most first; less than half a percent is left out."""
    if task == "boxes":
        return {classes[k]: n for k, n in Counter(answer.labels.tolist()).most_common()}
    numbers = np.bincount(answer.labels.ravel(), minlength=len(classes)) / answer.labels.size
    return {classes[k]: round(100 * numbers[k]) for k in np.argsort(-numbers).tolist() if numbers[k] >= 0.005}
