"""What triage found: the records `Promise`, `ClassTriage` and `Triage`, and the sentences that say what they mean.

Records and words only; `trust.triage.thresholds` computes them. "Class" is the class that was answered, not the true
one: it is what a person who accepts answers sees.
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

KEPT, BROKEN, NOT_SHOWN, NONE_ACCEPTED = "kept", "broken", "not shown", "none accepted"


@dataclass(frozen=True)
class Guarantee:
    """What one threshold promises, for all answers or for the answers that name one class.

    threshold: answers with a confidence above it are accepted; 1 where nothing is. rows: independent images tested.
    accepted, wrong: how many of them were accepted, and wrong. bound: with the promise's confidence not more of what is
    accepted is wrong; 1 where nothing is accepted. confidence_level: of this promise alone. more, more_cautious: how
    many labelled images (of this answer) would carry the promise, besides those there are, if the surest answers are
    wrong as often as seen, or as often as is plausible (80 %); 0 where it is kept, None where it cannot be told. first:
    accepted and wrong at the surest step that was tried, None where there were too few rows.
    """

    threshold: float
    rows: int
    accepted: int
    wrong: int
    bound: float
    confidence_level: float
    more: int | None
    more_cautious: int | None
    first: tuple[int, int] | None

    @property
    def kept(self) -> bool:
        """Whether there is a threshold that keeps the promise."""
        return self.accepted > 0


@dataclass(frozen=True)
class ClassTriage:
    """What is known of one answered class.

    own: what a threshold of its own promises; the promises of all classes hold together with the confidence asked for.
    accepted, wrong: by the thresholds in force. status: 'kept'; 'not shown' (too few images to know); 'broken' (more
    are wrong than promised, as surely as a class's promise is made); 'none accepted'.
    """

    name: str
    own: Guarantee
    accepted: int
    wrong: int
    status: str


@dataclass(frozen=True)
class Triage:
    """Thresholds and their promise.

    scope: 'all' (one threshold; the promise is about all accepted answers together) or 'class' (one for each answered
    class; the promise is about every class that is accepted at all). overall: the single threshold, whichever is in
    force. rows: independent images tested. coverage: the share of images accepted by the thresholds in force. basis:
    what the tested answers are, `HELD_OUT` or `OUT_OF_FOLD`; empty where that is not known.
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
    def kept(self) -> bool:
        """Whether anything can be accepted under the promise."""
        return any(threshold < NOTHING for threshold in self.thresholds)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """For each answered class, the confidence above which it is accepted."""
        own = self.scope == "class"
        return tuple(each.own.threshold if own else self.overall.threshold for each in self.classes)

    @property
    def accepted(self) -> int:
        """How many of the tested images were accepted."""
        return sum(each.accepted for each in self.classes)

    @property
    def wrong(self) -> int:
        """How many of the accepted ones were wrong."""
        return sum(each.wrong for each in self.classes)

    def accepts(self, confidence: NDArray[Any], predicted: Ints) -> Flags:
        """Which answers are accepted automatically: (n,) from confidences and answered classes, both (n,)."""
        return accepts(confidence, predicted, self.thresholds)

    def required(self) -> Triage:
        """Itself, or `DataError` with the reason where the data cannot carry the promise."""
        if not self.kept:
            raise DataError(self.sentences()[0])
        return self

    def sentences(self) -> tuple[str, ...]:
        """What is promised, or why nothing is; then what is known of the single classes."""
        return _sentences(self)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-able values, with `thresholds` and `sentences`."""
        return {**asdict(self), "thresholds": list(self.thresholds), "sentences": list(self.sentences())}


def accepts(confidence: NDArray[Any], predicted: Ints, thresholds: Sequence[float]) -> Flags:
    """Which answers lie above the threshold of the class that they name. Compared in float64, as they were tested.

    >>> accepts(np.array([0.9, 0.9]), np.array([0, 1]), (0.8, 0.95)).tolist()
    [True, False]
    """
    return np.asarray(confidence, np.float64) > np.asarray(thresholds, np.float64)[predicted]


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _sentences(result: Triage) -> tuple[str, ...]:
    if not result.kept:
        return (_refusal(result), *_basis(result))
    share, asked = result.coverage.value, f"at most {_percent(result.max_error)} of them wrong"
    each = " in every class" if result.scope == "class" else ""
    first = (
        f"{100 * share:.1f} % accepted automatically, {asked}{each} ({_percent(result.confidence_level)} confidence); "
        f"{100 * (1 - share):.1f} % to review."
    )
    return (first, *_about_classes(result), *_basis(result))


def _basis(result: Triage) -> tuple[str, ...]:
    """On which answers it rests, and what that is worth."""
    if result.basis == HELD_OUT:
        return (f"Judged on {quantity(result.rows, 'image')} that took no part in training.",)
    if result.basis == OUT_OF_FOLD:
        rows = quantity(result.rows, "out-of-fold answer")
        return (f"Judged on {rows}, by models trained on a part of the data: nearly the promise, not exactly.",)
    return ()


def _about_classes(result: Triage) -> tuple[str, ...]:
    """What the overall promise hides, or which classes go to review as a whole."""
    said = []
    named = {status: [each for each in result.classes if each.status == status] for status in (BROKEN, NOT_SHOWN)}
    if named[BROKEN]:
        said.append(
            f"The promise does not hold for each class: {_counts(named[BROKEN])}; a threshold for each class "
            "keeps such answers back."
        )
    if named[NOT_SHOWN]:
        said.append(f"Not shown to hold for these classes alone: {_counts(named[NOT_SHOWN])}.")
    if result.scope == "class":
        said += _to_review(result)
    return tuple(said)


def _to_review(result: Triage) -> list[str]:
    """Which classes cannot be accepted at all, and what it would take."""
    least = [each for each in result.classes if not each.own.kept and each.own.first is None]
    failed = [(each, each.own.first) for each in result.classes if not each.own.kept and each.own.first is not None]
    said = []
    if least:
        needed = accepted_needed(result.max_error, least[0].own.confidence_level)
        who = _cut([f"{each.name!r} ({each.own.rows:,}; {_short(each.own)})" for each in least])
        said.append(f"To review for want of images, of which a class takes at least {needed:,} so answered: {who}.")
    if failed:
        who = _cut([f"{each.name!r} ({f[1]:,} of {f[0]:,} wrong; {_short(each.own)})" for each, f in failed])
        said.append(f"To review because too many of the surest answers are wrong to promise it: {who}.")
    return said


def _short(promise: Guarantee) -> str:
    unknown = promise.more is None or _too_far(promise.more, promise)
    return "cannot be told how many more" if unknown else f"at least about {_two_digits(promise.more or 0):,} more"


def _counts(classes: Sequence[ClassTriage]) -> str:
    return _cut([f"{each.name!r} ({each.wrong} of {each.accepted:,} wrong)" for each in classes])


def _cut(words: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(words[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"


def _refusal(result: Triage) -> str:
    if result.scope == "all":
        return f"Nothing can be accepted automatically: {_why(result.overall, result.max_error)}"
    asked = (
        f"at most {_percent(result.max_error)} wrong in every class with {_percent(result.confidence_level)} confidence"
    )
    return f"Nothing can be accepted automatically under the promise of {asked}. {' '.join(_to_review(result))}"


def _why(promise: Guarantee, max_error: float) -> str:
    """Why a promise cannot be made, and what would carry it."""
    wanted = f"at most {_percent(max_error)} wrong with {_percent(promise.confidence_level)} confidence"
    if promise.first is None:
        least = accepted_needed(max_error, promise.confidence_level)
        reason = (
            f"{wanted} takes at least {least:,} accepted images without an error, of {promise.rows:,} labelled here"
        )
    else:
        accepted, wrong = promise.first
        high = error_bound(wrong, accepted, promise.confidence_level)
        verb = "was" if wrong == 1 else "were"
        reason = (
            f"{wanted} cannot be shown: of the surest {accepted:,} answers {wrong:,} {verb} wrong, so up to "
            f"{100 * high:.1f} % may be"
        )
    return f"{reason}. {_more(promise)}"


def _more(promise: Guarantee) -> str:
    if promise.more is None:
        why = "the surest answers are wrong too often as it is" if promise.rows else "there are none to judge by"
        return f"How many more would do cannot be told: {why}."
    if _too_far(promise.more, promise):
        return f"How many more would do cannot be told: more than {_FAR} times as many as there are."
    few = (
        f"About {quantity(_two_digits(promise.more), 'more labelled image')} would do, with about even odds, if the "
        "surest answers stay as right as here"
    )
    if promise.more_cautious is None or _too_far(promise.more_cautious, promise):
        return f"{few}; how many at most cannot be told from so few."
    return f"{few}, {_two_digits(promise.more_cautious):,} if they are as wrong as is plausible."


def _too_far(more: int, promise: Guarantee) -> bool:
    """Whether so many more are too many for the images there are to foretell."""
    return more > _FAR * max(promise.rows, 1)


def _two_digits(count: int) -> int:
    """Rounded up to two digits that are not 0.

    >>> _two_digits(49), _two_digits(12_841)
    (49, 13000)
    """
    step = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // step) * step
