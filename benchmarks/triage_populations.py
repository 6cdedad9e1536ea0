"""What guarantees are tried on, for `benchmarks/triage.py`: made populations, and real sets scored out of fold.

A `Population` knows its error above any threshold; `simulated` makes some that go wrong in different ways, `scored`
makes one of a real set by a head's out-of-fold predictions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from headstart.backbones.opening import open_backbone
from headstart.data.splits import assign_folds as dealt
from headstart.embed.extract import embed
from headstart.heads.catalog import make_head
from headstart.metrics.probability import softmax
from headstart.trust.calibration.temperature import crossed_probabilities, fit_temperature, probabilities
from headstart.trust.triage.thresholds import top_predictions
from strategies import samples_of

POPULATION = 1_000_000
"""Images in a made population."""


@dataclass(frozen=True)
class Population:
    """All images there are: probabilities (N, K) and true classes (N,), from which labelled sets are drawn."""

    name: str
    probabilities: np.ndarray
    y: np.ndarray
    said: np.ndarray = field(init=False)
    sure: np.ndarray = field(init=False)
    _curves: list[tuple[np.ndarray, np.ndarray]] = field(init=False)

    def __post_init__(self) -> None:
        said, sure = top_predictions(self.probabilities)
        object.__setattr__(self, "said", said)
        object.__setattr__(self, "sure", sure)
        rows = [np.arange(len(sure)), *(np.flatnonzero(said == k) for k in range(self.probabilities.shape[1]))]
        object.__setattr__(self, "_curves", [self._curve(each) for each in rows])

    def _curve(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        order = rows[np.argsort(-self.sure[rows], kind="stable")]
        return -self.sure[order], np.concatenate([[0], np.cumsum(self.said[order] != self.y[order])])

    def error(self, threshold: float, predicted: int | None = None) -> float:
        """The share of wrong ones among all predictions above the threshold (or those of one class)."""
        falling, wrong = self._curves[0 if predicted is None else 1 + predicted]
        above = int(np.searchsorted(falling, -threshold, side="left"))
        return float(wrong[above] / max(above, 1))


def simulated(seed: int) -> Iterator[Population]:
    """Populations with different ways of going wrong."""
    random = np.random.default_rng(seed)
    for name, apart, flipped in (
        ("97 % right", 3.0, 0.0),
        ("96 % right, 1 % of labels wrong", 3.0, 0.015),
        ("87 % right", 2.0, 0.0),
    ):
        y = random.integers(3, size=POPULATION)
        z = random.standard_normal((POPULATION, 3))
        z[np.arange(POPULATION), y] += apart
        other = np.where(random.random(POPULATION) < flipped, random.integers(3, size=POPULATION), y)
        yield Population(name, softmax(apart * z).astype(np.float32), other)
    sure = 0.4 + 0.6 * random.random(POPULATION)
    said = random.choice(3, size=POPULATION, p=[0.6, 0.35, 0.05])
    found = np.repeat(((1 - sure) / 2)[:, None], 3, axis=1)
    found[np.arange(POPULATION), said] = sure
    for name, wrong in (
        ("one class of 5 % wrong in 20 %", np.where(said == 2, 0.2, (1 - sure) ** 2 / 5)),
        ("most confident 2 % wrong in 10 %", np.where(sure > 0.988, 0.1, (1 - sure) ** 2 / 3)),
        ("confidence says nothing, 2.2 % wrong", np.full(POPULATION, 0.022)),
    ):
        y = np.where(random.random(POPULATION) < wrong, (said + 1) % 3, said)
        yield Population(name, found, y)


@dataclass(frozen=True)
class Scored:
    """A real set: out-of-fold scores (repeats, n, K), labels, folds."""

    name: str
    scores: np.ndarray
    y: np.ndarray
    folds: np.ndarray

    @property
    def population(self) -> Population:
        return Population(self.name, crossed_probabilities(self.scores, self.y, self.folds).mean(axis=0), self.y)


def scored(name: str, root: Path, head: str, seed: int, kept: dict[str, tuple[np.ndarray, np.ndarray]]) -> Scored:
    """Embed (once) and score out of fold, at the setting of least log-loss."""
    if name not in kept:
        samples = samples_of(name, root)
        kept[name] = embed(samples.items, open_backbone("lite0"), content=samples.content).last, samples.labels
    X, y = kept[name]
    folds = dealt(y, count=5, repeats=3, seed=seed)
    path = make_head(head, seed=seed).path_scores(X, y, folds)
    losses = [_loss(scores, y) for scores in path.scores]
    return Scored(name, path.scores[int(np.argmin(losses))], y, folds)


def _loss(scores: np.ndarray, y: np.ndarray) -> float:
    found = probabilities(scores, fit_temperature(scores, y, most_rows=5000))
    own = np.take_along_axis(found, y[None, :, None], axis=-1)
    return float(-np.log(np.maximum(own, 1e-12)).mean())
