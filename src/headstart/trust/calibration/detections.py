"""How often a detection is right, by its class and score: a head's own scores are too sure of themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headstart.metrics.boxes.matching import Matches
from headstart.records.boxes import Detections
from headstart.trust.calibration.isotonic import Steps, fit_steps


def fit_detections(matches: Matches) -> tuple[Steps, ...]:
    """The steps of each class: the share of detections that hit a labelled object, at an overlap of 0.5.

    matches: of answers to images that the heads had not seen. Ignored detections are left out.
    """
    return tuple(fit_steps(part.scores[~part.ignored[0]], part.hit[0][~part.ignored[0]]) for part in matches.classes)


def calibrate(detections: Sequence[Detections], steps: Sequence[Steps]) -> list[Detections]:
    """The same detections, in the same order, with the share that is right in place of each score."""
    calibrated = []
    for seen in detections:
        shares = np.zeros(len(seen))
        for label, part in enumerate(steps):
            of_class = seen.labels == label
            shares[of_class] = part.at(seen.scores[of_class])
        calibrated.append(Detections(seen.corners, shares, seen.labels))
    return calibrated
