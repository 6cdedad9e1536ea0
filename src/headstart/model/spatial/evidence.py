"""What promises about missed objects or pixels rest on, from answers to images that the heads had not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from headstart.metrics.boxes.matching import Matches, match
from headstart.records.boxes import Boxes
from headstart.trust.missed import MissedEvidence, losses_of_histograms, losses_of_scores

UNITS = {"boxes": "objects", "masks": "pixels"}


def missed_evidence(target: Any, kept: Sequence[Any], *, apart: bool) -> MissedEvidence:
    """The evidence of answers that were scored: detections, or judged segmentations."""
    if isinstance(target, Boxes):
        return MissedEvidence(_object_losses(target, kept), UNITS["boxes"], apart)
    histograms = np.stack([part.histogram.sum(axis=0) for part in kept])
    return MissedEvidence(losses_of_histograms(histograms), UNITS["masks"], apart)


def _object_losses(target: Boxes, detections: Sequence[Any]) -> Any:
    scores = np.full(len(target.image), -1.0)
    for part in match(target, detections).classes:
        hit = part.partner >= 0
        np.maximum.at(scores, part.partner[hit], part.scores[hit])
    counted = ~target.ignored
    return losses_of_scores(target.image[counted], scores[counted], len(target))


def best_threshold(matches: Matches) -> tuple[float, float, float]:
    """The score from which objects are shown: that with the largest F1 at an overlap of 0.5, over all classes.

    Returns it with the share of objects seen and the share of shown ones that are right.
    """
    scores = np.concatenate([part.scores[~part.ignored[0]] for part in matches.classes])
    hits = np.concatenate([part.hit[0][~part.ignored[0]] for part in matches.classes])
    objects = sum(int(part.objects.sum()) for part in matches.classes)
    if not len(scores) or not objects:
        return 0.5, 0.0, 0.0
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(hits[order])
    shown = np.arange(1, len(order) + 1)
    f1 = 2 * right / (shown + objects)
    best = int(f1.argmax())
    return float(scores[order][best]), float(right[best] / objects), float(right[best] / shown[best])
