"""Whether an exported model answers as the model it was made of; a gate, with the worst image named.

Three comparisons. *Equal pixels*: the graph behind its resampling, on the squares that Headstart's decode makes.
*Any size*: the whole graph, on the pixels of whole images. *Files*: the whole graph on files that a stranger decodes
whole, against Headstart's answer to the file itself, which reads large JPEGs at reduced scale. *Texts* are of their
own (`export.texts`). The limits are those of
docs/deploy/parity.md. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.data.images.decode import read_image
from headstart.model.export.graph import IMAGE, ExportGraph, core_graph, squares_of
from headstart.model.export.runtimes import Run, open_runtime
from headstart.records.arrays import Floats

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor

EQUAL_PIXELS, ANY_SIZE, FILES, TEXTS = "equal pixels", "any size", "files", "texts"
LIMITS = {EQUAL_PIXELS: 1e-5, ANY_SIZE: 2e-3, TEXTS: 3e-2}
"""How far a probability may move. A model of texts runs in OpenVINO, which rounds activations to eight bits beside int8
weights, in groups that depend on padding; other runtimes do not (docs/deploy/parity.md)."""
GAP = 4e-3
"""Where the two best classes are closer than this, another label is no fault: twice the limit."""
_GAPS = {TEXTS: 6e-2}
LEAST_AGREEMENT = 0.99
MOST_ACCURACY_CHANGE = 0.005


@dataclass(frozen=True)
class Check:
    """One comparison. runtime: what ran the file. kind: which. largest: change of a probability. labels: (same, all).

    flips: labels that differ though the two best are apart. worst: name of the image with the largest change.
    accuracy: the model's and the export's, of files whose folder names their class; None where there are none.
    """

    runtime: str
    kind: str
    images: int
    largest: float
    same_labels: int
    flips: int
    worst: str
    accuracy: tuple[float, float] | None = None

    @property
    def passed(self) -> bool:
        """Whether it stays within its limits."""
        if self.kind in LIMITS:
            return self.largest <= LIMITS[self.kind] and self.flips == 0
        agreement = self.same_labels >= min(LEAST_AGREEMENT * self.images, self.images - 1)
        change = 0.0 if self.accuracy is None else abs(self.accuracy[0] - self.accuracy[1])
        one = 1 / self.images  # of few images, one is more than the limits
        return agreement and change <= max(MOST_ACCURACY_CHANGE, one) + 1e-9


@dataclass(frozen=True)
class Parity:
    """All comparisons of an exported file."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether all stay within their limits."""
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        """Those that do not."""
        return tuple(check for check in self.checks if not check.passed)


def check_parity(
    predictor: Predictor,
    path: Path,
    runtimes: Sequence[str],
    images: Sequence[NDArray[np.uint8]],
    names: Sequence[str],
    *,
    graph: ExportGraph | None = None,
    files: Sequence[Path] = (),
) -> Parity:
    """Run an exported file in its runtimes beside the model.

    images: whole images as pixels, (height, width, 3) uint8, with their names. graph: of the file, for the comparison
    on equal pixels; None where it cannot be had. files: for the comparison with a stranger's decoding.
    """
    expected = predictor.probabilities(predictor.features(images).X) if images else None
    core = None if graph is None or not images else core_graph(graph).model.SerializeToString()
    checks = []
    for runtime in runtimes:
        run = open_runtime(runtime, path)
        if expected is not None:
            if core is not None:
                checks.append(_equal_pixels(predictor, open_runtime(runtime, core), runtime, expected, images, names))
            found = _answers(run, images)
            checks.append(compare(runtime, ANY_SIZE, expected, found, names))
        if files:
            checks.append(_check_files(predictor, run, runtime, files))
    return Parity(tuple(checks))


def _equal_pixels(
    predictor: Predictor,
    run: Run,
    runtime: str,
    expected: Floats,
    images: Sequence[NDArray[np.uint8]],
    names: Sequence[str],
) -> Check:
    found = [run(squares_of(predictor, [image]))["probabilities"] for image in images]
    return compare(runtime, EQUAL_PIXELS, expected, np.concatenate(found), names)


def _answers(run: Run, images: Sequence[NDArray[np.uint8]]) -> Floats:
    return np.concatenate([run({IMAGE: image[None]})["probabilities"] for image in images])


def compare(runtime: str, kind: str, expected: Floats, found: Floats, names: Sequence[str], **more: Any) -> Check:
    """One comparison of probabilities (n, K): the model's, and those that were found in a runtime."""
    change = np.abs(expected.astype(np.float64) - found).max(axis=1)
    change[np.isnan(change)] = np.inf
    same = expected.argmax(axis=1) == found.argmax(axis=1)
    best = np.sort(expected, axis=1)
    apart = best[:, -1] - best[:, -2] > _GAPS.get(kind, GAP)
    worst = int(change.argmax())
    return Check(
        runtime,
        kind,
        len(names),
        float(change[worst]),
        int(same.sum()),
        int((~same & apart).sum()),
        names[worst],
        **more,
    )


def _check_files(predictor: Predictor, run: Run, runtime: str, files: Sequence[Path]) -> Check:
    """Files as a stranger decodes them, whole, against the model's own answer to the file."""
    predictions = predictor.predict(files)
    readable = [
        (path, p) for path, p, r in zip(files, predictions.probabilities, predictions.readable, strict=True) if r
    ]
    expected = np.stack([p for _, p in readable])
    found = np.concatenate([_answers(run, [np.asarray(read_image(path))]) for path, _ in readable])
    labels = [_label(path, predictor.classes) for path, _ in readable]
    rows = [row for row, label in enumerate(labels) if label is not None]
    accuracy = None
    if rows:
        truth = np.array([labels[row] for row in rows])
        hits = [float((table[rows].argmax(axis=1) == truth).mean()) for table in (expected, found)]
        accuracy = (hits[0], hits[1])
    return compare(runtime, FILES, expected, found, [str(path) for path, _ in readable], accuracy=accuracy)


def _label(path: Path, classes: Sequence[str]) -> int | None:
    return classes.index(path.parent.name) if path.parent.name in classes else None
