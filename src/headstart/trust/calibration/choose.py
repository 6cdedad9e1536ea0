"""Chooses the calibration method by cross-fitted log-loss and measures what it changes, before and after.

Takes out-of-fold scores, labels and folds; returns a `CalibrationChoice`. The methods are in
`trust.calibration.methods`. Matrix scaling is not offered: its K² parameters overfit sets of the size that this is for
(Guo et al. 2017, table 1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.checks import one_of
from headstart.errors import OptionError
from headstart.metrics import probability
from headstart.metrics.intervals import Reals, z_value
from headstart.records.arrays import Floats, Ints
from headstart.trust.calibration.methods import METHODS, Calibration, fit_calibration
from headstart.trust.calibration.temperature import probabilities

VECTOR_PER_CLASS = 20
"""Ten images for each of a class's two parameters: the rule of ten events a variable (Peduzzi et al. 1996)."""


@dataclass(frozen=True)
class Quality:
    """How good probabilities are, each the mean over repeats: see `metrics.probability`; lower is better."""

    log_loss: float
    brier: float
    calibration_error: float
    debiased_calibration_error: float


@dataclass(frozen=True, eq=False)
class CalibrationChoice:
    """The calibration chosen and what it does.

    calibration: fitted on all rows. before: of softmax(scores). after: of the chosen method, each fold by what was
    fitted on the other folds; the choice itself used these rows too, which flatters it a little where a method other
    than temperature won. compared: the cross-fitted log-loss of each method tried. left_out: method → why the data do
    not allow it. crossed: (repeats, n, K) the probabilities that `after` is of.
    """

    calibration: Calibration
    before: Quality
    after: Quality
    compared: Mapping[str, float]
    left_out: Mapping[str, str]
    crossed: Floats = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """What was measured, as JSON-able values, without the rows."""
        return {
            "calibration": self.calibration.to_dict(),
            "before": asdict(self.before),
            "after": asdict(self.after),
            "compared": dict(self.compared),
            "left_out": dict(self.left_out),
        }


def not_allowed(method: str, labels: Ints, classes: int) -> str:
    """Why there are too few images for a method, in words; empty where there are enough."""
    fewest = int(np.bincount(labels, minlength=classes).min())
    if method == "vector" and fewest < VECTOR_PER_CLASS:
        return f"vector scaling has two parameters a class and needs {VECTOR_PER_CLASS} images of each; found {fewest}"
    return ""


def choose_calibration(
    scores: NDArray[Any],
    labels: Ints,
    folds: Ints,
    *,
    methods: Sequence[str] = METHODS,
    groups: Ints | None = None,
    confidence: float = 0.95,
) -> CalibrationChoice:
    """Compare the methods that the data allow by cross-fitted log-loss; the simplest wins a tie.

    scores: (repeats, n, K), out of fold. labels: (n,). folds: (repeats, n). methods: those to consider, from `METHODS`;
    temperature is the one to fall back on. groups: (n,) rows that belong together count as one in the comparison. A
    later method replaces an earlier one where the paired interval of the difference in log-loss, at `confidence`, lies
    below zero.
    """
    for method in methods:
        one_of("calibration", method, METHODS)
    if not methods:
        raise OptionError(f"calibration methods must be some of {', '.join(METHODS)}; found none.")
    classes = scores.shape[-1]
    reasons = {method: not_allowed(method, labels, classes) for method in METHODS if method in methods}
    tried = [method for method, reason in reasons.items() if not reason] or ["temperature"]
    crossed = {method: cross_fitted(method, scores, labels, folds) for method in tried}
    losses = {method: _row_losses(likely, labels) for method, likely in crossed.items()}
    best = tried[0]
    for method in tried[1:]:
        if _clearly_less(losses[method] - losses[best], groups, confidence):
            best = method
    return CalibrationChoice(
        fit_calibration(best, scores, labels),
        quality(probabilities(scores), labels),
        quality(crossed[best], labels),
        {method: float(loss.mean()) for method, loss in losses.items()},
        {method: reason for method, reason in reasons.items() if reason},
        crossed[best],
    )


def cross_fitted(method: str, scores: NDArray[Any], labels: Ints, folds: Ints) -> Floats:
    """Probabilities (repeats, n, K) by a method fitted, for each fold, on the other folds of its repeat."""
    result = np.empty(scores.shape, np.float32)
    for repeat, fold in enumerate(folds):
        for number in np.unique(fold):
            inside = fold == number
            fitted = fit_calibration(method, scores[repeat, ~inside], labels[~inside])
            result[repeat, inside] = fitted.apply(scores[repeat, inside])
    return result


def quality(likely: Floats, labels: Ints) -> Quality:
    """Log-loss, Brier score and calibration errors of probabilities (repeats, n, K), the mean over repeats."""
    measures = (
        *(probability.log_loss, probability.brier),
        *(probability.calibration_error, probability.debiased_calibration_error),
    )
    return Quality(*(float(np.mean([measure(labels, repeat) for repeat in likely])) for measure in measures))


def _row_losses(likely: Floats, labels: Ints) -> Reals:
    likelihood = np.take_along_axis(likely, labels[None, :, None], axis=-1)[..., 0].astype(np.float64)
    return -np.log(np.clip(likelihood, 1e-15, 1.0)).mean(axis=0)  # type: ignore[no-any-return]


def _clearly_less(difference: Reals, groups: Ints | None, confidence: float) -> bool:
    """Whether the mean lies below zero by more than chance; the rows of a group go together."""
    mean = float(difference.mean())
    members = np.unique(np.arange(len(difference)) if groups is None else groups, return_inverse=True)[1]
    sums = np.bincount(members, weights=difference - mean)
    standard_error = float(np.sqrt((sums**2).sum())) / len(difference)  # cluster-robust: groups' sums are independent
    return mean + z_value(confidence) * standard_error < 0
