"""The records of triage, `Guarantee`, `ClassTriage` and `Triage`, with the sentences that say what they mean.

Records and words only; `trust.triage.thresholds` computes them. "Class" is the predicted class, not the true one: it is
what a person who accepts predictions can tell. The guarantee is about selective risk: the share of errors among the
predictions that are accepted automatically is at most `max_error`, with a stated confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import quantity
from headstart.errors import DataError
from headstart.metrics.intervals import Estimate
from headstart.records.arrays import Ints
from headstart.trust.triage.fixed_sequence import Flags, accepted_needed, error_bound

_FAR = 100
"""A forecast of more than so many times the images there are says nothing."""
NOTHING = 1.0
"""The threshold that accepts nothing: no confidence lies above it."""

HELD_OUT, OUT_OF_FOLD = "held out", "out of fold"

GUARANTEED, VIOLATED, NOT_SHOWN, NONE_ACCEPTED = "guaranteed", "violated", "not shown", "none accepted"


@dataclass(frozen=True)
class Guarantee:
    """What one threshold guarantees, for all predictions or for the predictions of one class.

    threshold: predictions with a confidence above it are accepted; 1 where nothing is. rows: independent images tested.
    accepted, wrong: how many of them were accepted, and wrong. bound: the upper confidence bound of the selective risk;
    1 where nothing is accepted. confidence_level: of this guarantee alone. more, more_cautious: how many labelled
    images (of this prediction) would carry the guarantee, besides those there are, if the most confident predictions
    are wrong as often as here, or as often as is plausible (80 %); 0 where it is feasible, None where it cannot be
    told. first_step: accepted and wrong at the first step of the sequence, None where there were too few rows.
    """

    threshold: float
    rows: int
    accepted: int
    wrong: int
    bound: float
    confidence_level: float
    more: int | None
    more_cautious: int | None
    first_step: tuple[int, int] | None

    @property
    def feasible(self) -> bool:
        """Whether there is a threshold under which the guarantee holds."""
        return self.accepted > 0


@dataclass(frozen=True)
class ClassTriage:
    """What is known of one predicted class.

    guarantee: that of a threshold of its own; the guarantees of all classes hold together with the confidence asked
    for. accepted, wrong: by the thresholds in force. status: 'guaranteed'; 'not shown' (too few images to know);
    'violated' (more are wrong than `max_error`, as surely as a class's guarantee is given); 'none accepted'.
    """

    name: str
    guarantee: Guarantee
    accepted: int
    wrong: int
    status: str


@dataclass(frozen=True)
class Triage:
    """Thresholds and their guarantee.

    scope: 'all' (one threshold; the guarantee is about all accepted predictions together) or 'class' (one for each
    predicted class; the guarantee is about every class that is accepted at all). overall: the single threshold,
    whichever is in force. rows: independent images tested. coverage: the share of images accepted by the thresholds in
    force. basis: what the tested predictions are, `HELD_OUT` or `OUT_OF_FOLD`; empty where that is not known.
    """

    max_error: float
    confidence_level: float
    scope: str
    overall: Guarantee
    classes: tuple[ClassTriage, ...]
    rows: int
    coverage: Estimate
    basis: str = ""

    @property
    def feasible(self) -> bool:
        """Whether anything can be accepted under the guarantee."""
        return any(threshold < NOTHING for threshold in self.thresholds)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """For each predicted class, the confidence above which it is accepted."""
        if self.scope == "class":
            return tuple(entry.guarantee.threshold for entry in self.classes)
        return (self.overall.threshold,) * len(self.classes)

    @property
    def accepted(self) -> int:
        """How many of the tested images were accepted."""
        return sum(entry.accepted for entry in self.classes)

    @property
    def wrong(self) -> int:
        """How many of the accepted ones were wrong."""
        return sum(entry.wrong for entry in self.classes)

    def accepts(self, confidence: NDArray[Any], predicted: Ints) -> Flags:
        """Which predictions are accepted automatically: (n,) from confidences and predicted classes, both (n,)."""
        return accepts(confidence, predicted, self.thresholds)

    def required(self) -> Triage:
        """Itself, or `DataError` with the reason where the guarantee is not feasible."""
        if not self.feasible:
            raise DataError(self.sentences()[0])
        return self

    def sentences(self) -> tuple[str, ...]:
        """The guarantee, or why none is feasible; then what is known of the single classes."""
        return _sentences(self)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-able values, with `thresholds` and `sentences`."""
        return {**asdict(self), "thresholds": list(self.thresholds), "sentences": list(self.sentences())}


def accepts(confidence: NDArray[Any], predicted: Ints, thresholds: Sequence[float]) -> Flags:
    """Which predictions lie above the threshold of their class. Compared in float64, as they were tested.

    >>> accepts(np.array([0.9, 0.9]), np.array([0, 1]), (0.8, 0.95)).tolist()
    [True, False]
    """
    return np.asarray(confidence, np.float64) > np.asarray(thresholds, np.float64)[predicted]


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _sentences(result: Triage) -> tuple[str, ...]:
    if not result.feasible:
        return (_refusal(result), *_basis(result))
    share, limit = result.coverage.value, f"at most {_percent(result.max_error)} of them wrong"
    scope = " in every class" if result.scope == "class" else ""
    first = (
        f"{100 * share:.1f} % accepted automatically, {limit}{scope} ({_percent(result.confidence_level)} confidence); "
        f"{100 * (1 - share):.1f} % to review."
    )
    return (first, *_about_classes(result), *_basis(result))


def _basis(result: Triage) -> tuple[str, ...]:
    """On which predictions it rests, and what that is worth."""
    if result.basis == HELD_OUT:
        return (f"Tested on {quantity(result.rows, 'image')} that took no part in training.",)
    if result.basis == OUT_OF_FOLD:
        rows = quantity(result.rows, "out-of-fold prediction")
        return (f"Tested on {rows}, by models trained on a part of the data: nearly a guarantee, not exactly.",)
    return ()


def _about_classes(result: Triage) -> tuple[str, ...]:
    """What the overall guarantee hides, or which classes go to review as a whole."""
    lines = []
    violated, not_shown = (
        [entry for entry in result.classes if entry.status == status] for status in (VIOLATED, NOT_SHOWN)
    )
    if violated:
        lines.append(
            f"The guarantee is violated for single classes: {_counts(violated)}; a threshold for each class sends such "
            "predictions to review."
        )
    if not_shown:
        lines.append(f"Not shown to hold for these classes alone: {_counts(not_shown)}.")
    if result.scope == "class":
        lines += _to_review(result)
    return tuple(lines)


def _to_review(result: Triage) -> list[str]:
    """Which classes cannot be accepted at all, and what it would take."""
    infeasible = [(entry, entry.guarantee) for entry in result.classes if not entry.guarantee.feasible]
    too_few = [(entry, guarantee) for entry, guarantee in infeasible if guarantee.first_step is None]
    failed = [(entry, guarantee, guarantee.first_step) for entry, guarantee in infeasible if guarantee.first_step]
    lines = []
    if too_few:
        needed = accepted_needed(result.max_error, too_few[0][1].confidence_level)
        names = _cut([f"{entry.name!r} ({guarantee.rows:,}; {_short(guarantee)})" for entry, guarantee in too_few])
        lines.append(f"To review for want of images, of which a class takes at least {needed:,} so predicted: {names}.")
    if failed:
        names = _cut(
            [f"{entry.name!r} ({s[1]:,} of {s[0]:,} wrong; {_short(guarantee)})" for entry, guarantee, s in failed]
        )
        lines.append(f"To review because too many of the most confident predictions are wrong: {names}.")
    return lines


def _short(guarantee: Guarantee) -> str:
    unknown = guarantee.more is None or _too_far(guarantee.more, guarantee)
    return "cannot be told how many more" if unknown else f"at least about {_two_digits(guarantee.more or 0):,} more"


def _counts(classes: Sequence[ClassTriage]) -> str:
    return _cut([f"{entry.name!r} ({entry.wrong} of {entry.accepted:,} wrong)" for entry in classes])


def _cut(words: Sequence[str], most: int = 12) -> str:
    listed = ", ".join(words[:most])
    return listed if len(words) <= most else f"{listed} and {len(words) - most} more"


def _refusal(result: Triage) -> str:
    if result.scope == "all":
        return f"Nothing can be accepted automatically: {_why(result.overall, result.max_error)}"
    limit = (
        f"at most {_percent(result.max_error)} wrong in every class with {_percent(result.confidence_level)} confidence"
    )
    return f"Nothing can be accepted automatically under the guarantee of {limit}. {' '.join(_to_review(result))}"


def _why(guarantee: Guarantee, max_error: float) -> str:
    """Why a guarantee is not feasible, and what would carry it."""
    limit = f"at most {_percent(max_error)} wrong with {_percent(guarantee.confidence_level)} confidence"
    if guarantee.first_step is None:
        least = accepted_needed(max_error, guarantee.confidence_level)
        reason = (
            f"{limit} takes at least {least:,} accepted images without an error, of {guarantee.rows:,} labelled here"
        )
    else:
        accepted, wrong = guarantee.first_step
        high = error_bound(wrong, accepted, guarantee.confidence_level)
        verb = "was" if wrong == 1 else "were"
        reason = (
            f"{limit} cannot be shown: of the {accepted:,} most confident predictions {wrong:,} {verb} wrong, so up to "
            f"{100 * high:.1f} % may be"
        )
    return f"{reason}. {_more(guarantee)}"


def _more(guarantee: Guarantee) -> str:
    if guarantee.more is None:
        why = (
            "the most confident predictions are wrong too often as it is"
            if guarantee.rows
            else "there are none to test on"
        )
        return f"How many more would do cannot be told: {why}."
    if _too_far(guarantee.more, guarantee):
        return f"How many more would do cannot be told: more than {_FAR} times as many as there are."
    few = (
        f"About {quantity(_two_digits(guarantee.more), 'more labelled image')} would do, with about even odds, if the "
        "most confident predictions stay as right as here"
    )
    if guarantee.more_cautious is None or _too_far(guarantee.more_cautious, guarantee):
        return f"{few}; how many at most cannot be told from so few."
    return f"{few}, {_two_digits(guarantee.more_cautious):,} if they are as wrong as is plausible."


def _too_far(more: int, guarantee: Guarantee) -> bool:
    """Whether so many more are too many for the images there are to foretell."""
    return more > _FAR * max(guarantee.rows, 1)


def _two_digits(count: int) -> int:
    """Rounded up to two digits that are not 0.

    >>> _two_digits(49), _two_digits(12_841)
    (49, 13000)
    """
    step = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // step) * step
