"""What became of each detection and each labelled object of one image, at an overlap of a half."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.metrics.boxes.matching import MOST, match
from headstart.records.boxes import Boxes, Detections


@dataclass(frozen=True, eq=False)
class Marks:
    """right, false: (d,) of detections; neither where it hit an ignored object. missed: (m,) of labelled objects, in
    their order; ignored ones are never missed."""

    right: NDArray[np.bool_]
    false: NDArray[np.bool_]
    missed: NDArray[np.bool_]

    @property
    def wrong(self) -> float:
        """The share that is wrong of all that is labelled or seen, 0 where there is nothing."""
        faults = int(self.false.sum() + self.missed.sum())
        return faults / max(faults + int(self.right.sum()), 1)


def mark(boxes: Boxes, row: int, seen: Detections) -> Marks:
    """The marks of the detections in the image of a row."""
    alone = boxes.take(np.array([row]))
    right, false = np.zeros(len(seen), bool), np.zeros(len(seen), bool)
    missed = ~alone.ignored
    for label, part in enumerate(match(alone, [seen]).classes):
        chosen = np.flatnonzero(seen.labels == label)
        chosen = chosen[np.argsort(-seen.scores[chosen], kind="stable")][:MOST]  # in the order of `match`
        right[chosen] = part.hit[0]
        false[chosen] = ~part.hit[0] & ~part.ignored[0]
        missed[part.partner[part.partner >= 0]] = False
    return Marks(right, false, missed)
