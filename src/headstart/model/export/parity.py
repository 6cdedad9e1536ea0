"""Whether an exported model answers as the model it was made of; a gate, with the worst image named.

Three comparisons. *Equal pixels*: the graph behind its resampling, on the squares that Headstart's decode makes.
*Any size*: the whole graph, on the pixels of whole images. *Files*: the whole graph on files that a stranger decodes
whole, against Headstart's answer to the file itself, which reads large JPEGs at reduced scale. *Texts* are compared in
`export.texts`. The limits depend on the precision of the export (docs/deploy/parity.md). Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from headstart.data.images.decode import read_image
from headstart.model.export.graph import IMAGE, ExportGraph, core_graph, squares_of
from headstart.model.export.runtimes import Run, open_runtime
from headstart.records.arrays import Floats

if TYPE_CHECKING:
    from headstart.model.predictor import Predictor

EQUAL_PIXELS, ANY_SIZE, FILES, TEXTS = "equal pixels", "any size", "files", "texts"
MOST_ACCURACY_CHANGE = 0.005


@dataclass(frozen=True)
class Limits:
    """What an export of one precision must keep to.

    equal_pixels, any_size, texts: how far a probability may move; a model of texts is run in full precision for it
    (`device.EXACT`). agreement: share of labels that must be the same.
    """

    equal_pixels: float
    any_size: float
    agreement: float
    texts: float = 3e-2

    def gap(self, kind: str) -> float:
        """Where the two best classes are closer than this, another label is no fault: they can approach so far."""
        return 2 * (self.texts if kind == TEXTS else self.any_size)

    def largest(self, kind: str) -> float:
        """How far a probability may move in a comparison; no limit for files."""
        return {EQUAL_PIXELS: self.equal_pixels, ANY_SIZE: self.any_size, TEXTS: self.texts}.get(kind, np.inf)


LIMITS = {
    "f32": Limits(1e-5, 2e-3, 0.99, texts=2e-3),
    "f16": Limits(5e-3, 5e-3, 0.99),
    "bf16": Limits(0.15, 0.15, 0.95),
}
"""Precision → limits."""


@dataclass(frozen=True)
class Check:
    """One comparison. runtime: what ran the file. kind: which. largest: change of a probability. labels: (same, all).

    flips: labels that differ though the two best are apart, or though the export decided to accept them. worst: name of
    the image with the largest change. accuracy: the model's and the export's, of files whose folder names their class;
    None where there are none. precision: of the export.
    """

    runtime: str
    kind: str
    images: int
    largest: float
    same_labels: int
    flips: int
    worst: str
    accuracy: tuple[float, float] | None = None
    precision: str = "f32"

    @property
    def passed(self) -> bool:
        """Whether it stays within its limits."""
        limits = LIMITS[self.precision]
        agreement = self.same_labels >= min(limits.agreement * self.images, self.images - 1)
        if self.kind != FILES:
            alike = agreement or self.precision == "f32"  # whose flips are counted one by one
            return self.largest <= limits.largest(self.kind) and self.flips == 0 and alike
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
    precision: str = "f32",
    squares_only: bool = False,
) -> Parity:
    """Run an exported file in its runtimes beside the model.

    images: whole images as pixels, (height, width, 3) uint8, with their names. graph: of the file, for the comparison
    on equal pixels; None where it cannot be had. files: for the comparison with a stranger's decoding. precision: of
    the export. squares_only: whether the file itself takes squares, so that equal pixels are all there is to compare.
    """
    expected = predictor.probabilities(predictor.features(images).X) if images else None
    core = None if graph is None or not images else core_graph(graph).model.SerializeToString()
    checks = []
    for runtime in runtimes:
        run = open_runtime(runtime, path, precision)
        alone = run if squares_only else open_runtime(runtime, core, precision) if core is not None else None
        if expected is not None and alone is not None:
            found = [alone(squares_of(predictor, [image])) for image in images]
            checks.append(_compare_answers(runtime, EQUAL_PIXELS, expected, found, names, precision))
        if expected is not None and not squares_only:
            answers = _answers(run, images)
            checks.append(_compare_answers(runtime, ANY_SIZE, expected, answers, names, precision))
        if files and not squares_only:
            checks.append(_check_files(predictor, run, runtime, files, precision))
    return Parity(tuple(checks))


Answers: TypeAlias = Sequence[Mapping[str, NDArray[Any]]]


def _answers(run: Run, images: Sequence[NDArray[np.uint8]]) -> Answers:
    return [run({IMAGE: image[None]}) for image in images]


def _probabilities(answers: Answers) -> Floats:
    return np.concatenate([answer["probabilities"] for answer in answers])


def _compare_answers(
    runtime: str,
    kind: str,
    expected: Floats,
    answers: Answers,
    names: Sequence[str],
    precision: str,
    accuracy: tuple[float, float] | None = None,
) -> Check:
    accepted = np.array([bool(np.ravel(answer.get("decision", 0))[0]) for answer in answers])
    found = _probabilities(answers)
    return compare(runtime, kind, expected, found, names, precision=precision, accepted=accepted, accuracy=accuracy)


def compare(
    runtime: str,
    kind: str,
    expected: Floats,
    found: Floats,
    names: Sequence[str],
    *,
    precision: str = "f32",
    accepted: NDArray[np.bool_] | None = None,
    accuracy: tuple[float, float] | None = None,
) -> Check:
    """One comparison of probabilities (n, K): the model's, and those of a runtime. accepted: (n,) by the export."""
    change = np.abs(expected.astype(np.float64) - found).max(axis=1)
    change[np.isnan(change)] = np.inf
    same = expected.argmax(axis=1) == found.argmax(axis=1)
    best = np.sort(expected, axis=1)
    apart = best[:, -1] - best[:, -2] > LIMITS[precision].gap(kind)
    if precision != "f32" and accepted is not None:  # what was promised must not change
        apart |= accepted
    worst = int(change.argmax())
    return Check(
        runtime,
        kind,
        len(names),
        float(change[worst]),
        int(same.sum()),
        int((~same & apart).sum()),
        names[worst],
        accuracy,
        precision,
    )


def _check_files(predictor: Predictor, run: Run, runtime: str, files: Sequence[Path], precision: str) -> Check:
    """Files as a stranger decodes them, whole, against the model's own answer to the file."""
    predictions = predictor.predict(files)
    readable = [
        (path, p) for path, p, r in zip(files, predictions.probabilities, predictions.readable, strict=True) if r
    ]
    expected = np.stack([p for _, p in readable])
    answers = [answer for path, _ in readable for answer in _answers(run, [np.asarray(read_image(path))])]
    found = _probabilities(answers)
    labels = [_label(path, predictor.classes) for path, _ in readable]
    rows = [row for row, label in enumerate(labels) if label is not None]
    accuracy = None
    if rows:
        truth = np.array([labels[row] for row in rows])
        hits = [float((table[rows].argmax(axis=1) == truth).mean()) for table in (expected, found)]
        accuracy = (hits[0], hits[1])
    names = [str(path) for path, _ in readable]
    return _compare_answers(runtime, FILES, expected, answers, names, precision, accuracy)


def _label(path: Path, classes: Sequence[str]) -> int | None:
    return classes.index(path.parent.name) if path.parent.name in classes else None
