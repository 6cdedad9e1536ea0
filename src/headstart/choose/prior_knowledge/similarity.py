"""How similar images are to ImageNet's: four measured signals, each with plain thresholds, and their vote.

`head_signals` and `shift_signal` turn arrays into `Signal`s, `depth_signal` the scores of layers; `vote` combines them.
The thresholds come from nine sets of images on EfficientNet-Lite0 (see the text beside each), not from theory, and are
not tuned to any outcome of training. Embeds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.choose.prior_knowledge.rule_tables import Verdict
from headstart.errors import InternalError
from headstart.metrics.probability import softmax
from headstart.records.arrays import Floats

CONFIDENCE = (0.25, 0.40)
"""Mean highest probability: 0.77 on 20 dog breeds that are part of ImageNet, 0.42 on photographs of other origin, 0.21
on sketches. Above the upper end similar, below the lower one different."""
KINDS = (1 / 3, 2 / 3)
"""Kinds of images that the old head tells apart, for each class there is: all of them or none, cut in three."""
SHIFT = (0.30, 0.50)
"""ImageNet's standard deviations: 0.21 to 0.27 on photographs of objects and animals, 0.51 to 0.55 on sketches and
charts. Below the lower end similar, above the upper one different."""


@dataclass(frozen=True)
class Signal:
    """A measured sign of similarity. name: what was measured; value: the number; words: both, for the user."""

    name: str
    value: float
    verdict: Verdict
    words: str


@dataclass(frozen=True)
class ImageNetSimilarity:
    """The vote of the signals: what most of them that take a side say. left_out: signals not measured, and why."""

    verdict: Verdict
    signals: tuple[Signal, ...]
    left_out: tuple[str, ...] = ()

    def words(self) -> str:
        """The verdict and how the signals voted."""
        counts = {v: sum(s.verdict == v for s in self.signals) for v in ("similar", "different", "in between")}
        votes = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        words = {"similar": "similar to ImageNet's", "different": "different from ImageNet's"}
        return f"{words.get(self.verdict, 'between similar and different')} ({votes})"


def vote(signals: Sequence[Signal], left_out: Sequence[str] = ()) -> ImageNetSimilarity:
    """The side with more signals; in between where they are even."""
    score = sum({"similar": 1, "different": -1}.get(signal.verdict, 0) for signal in signals)
    verdict: Verdict = "similar" if score > 0 else "different" if score < 0 else "in between"
    return ImageNetSimilarity(verdict, tuple(signals), tuple(left_out))


def head_signals(logits: Floats, classes: int) -> tuple[Signal, Signal]:
    """The original head's confidence, and how many kinds of images its predictions tell apart. logits: (n, 1000).

    The number of kinds is exp(I), I the mutual information in nats between image and answer: the entropy of the mean
    answer less the mean entropy of an answer. A head that says the same of everything tells 1 kind apart, however sure
    it is (charts: all 'web site').
    """
    if logits.ndim != 2 or not len(logits) or classes < 2:
        raise InternalError(f"logits of shape {logits.shape} and {classes} classes cannot be judged.")
    probabilities = softmax(logits.astype(np.float64))
    sure = float(probabilities.max(axis=1).mean())
    entropy = float(_entropy(probabilities).mean())
    kinds = float(np.exp(max(0.0, float(_entropy(probabilities.mean(axis=0))) - entropy)))
    share = (kinds - 1) / (classes - 1)
    return (
        Signal(
            "confidence of the ImageNet head",
            sure,
            _verdict(sure, CONFIDENCE),
            f"{100 * sure:.0f} % on average (entropy {entropy:.1f} of {np.log(logits.shape[1]):.1f}); "
            f"similar from {100 * CONFIDENCE[1]:.0f} %, different below {100 * CONFIDENCE[0]:.0f} %",
        ),
        Signal(
            "kinds the ImageNet head tells apart",
            kinds,
            _verdict(share, KINDS),
            f"about {kinds:.1f}, where the data have {classes} classes",
        ),
    )


def shift_signal(X: Floats, mean: Floats, spread: Floats) -> Signal:
    """How far the mean activation lies from ImageNet's, in its standard deviations (root mean square over channels).

    X: (n, d) a tap that is the mean over positions of what a batch norm puts out. mean, spread: (d,) that norm's own
    on ImageNet, its bias and the size of its weight.
    """
    if X.ndim != 2 or X.shape[1:] != mean.shape or mean.shape != spread.shape or not len(X):
        raise InternalError(f"activations {X.shape} and statistics {mean.shape}, {spread.shape} do not fit together.")
    live = np.abs(spread) > 1e-3 * np.abs(spread).mean()  # a channel that never moved says nothing
    off = (X.mean(axis=0, dtype=np.float64)[live] - mean[live]) / spread[live]
    distance = float(np.sqrt(np.mean(off**2)))
    verdict = _verdict(-distance, (-SHIFT[1], -SHIFT[0]))
    words = f"{distance:.2f} standard deviations; similar up to {SHIFT[0]:.2f}, different above {SHIFT[1]:.2f}"
    return Signal("distance to ImageNet's statistics", distance, verdict, words)


def depth_signal(best: str, last: str, lost: float, *, worse: bool) -> Signal:
    """Whether a linear probe on the last tap is worse than on the best. lost: by how much, as a share of 1."""
    if best == last:
        return Signal("last layer against earlier ones", 0.0, "similar", f"the last, {last}, is the best")
    verdict: Verdict = "different" if worse else "similar"
    noise = "more than noise" if worse else "no more than noise"
    words = f"{last} is {100 * lost:.1f} points below {best}, {noise}"
    return Signal("last layer against earlier ones", lost, verdict, words)


def _verdict(value: float, ends: tuple[float, float]) -> Verdict:
    return "different" if value < ends[0] else "similar" if value >= ends[1] else "in between"


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    entropy: NDArray[np.float64] = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=-1)
    return entropy
