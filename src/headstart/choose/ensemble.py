"""The greedy ensemble of what was scored: which models to average, and with which weights.

Caruana, Niculescu-Mizil, Crew and Ksikes 2004 ("Ensemble selection from libraries of models"): start from nothing, and
add again and again, with replacement, the model that lowers the log-loss of the mean probability most. Every model is
first divided by its own temperature. The choice sees out-of-fold scores alone; `crossed_scores` makes it anew for every
fold from the other folds' rows, so that an ensemble's own out-of-fold scores hold nothing of the rows they are of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.heads.base import PathScores
from headstart.heads.forms.blend import blend_scores
from headstart.metrics.probability import softmax
from headstart.records.arrays import Floats, Ints
from headstart.trust.calibration.temperature import fit_temperature, row_losses

STEPS = 8
_ROWS = 2000
_ENOUGH = 1e-4
"""A step that lowers the log-loss by less ends the search."""


@dataclass(frozen=True)
class Recipe:
    """Which configuration of which model stands in the ensemble, its temperature, and its share (above 0, sum 1)."""

    members: tuple[tuple[int, int], ...]
    temperatures: tuple[float, ...]
    shares: tuple[float, ...]

    def scores(self, paths: Sequence[PathScores], rows: slice | Ints) -> Floats:
        """Log of the mean probability on these rows: (repeats, rows, K)."""
        chosen = [paths[model].scores[number][:, rows] for model, number in self.members]
        sharpness = np.array([1 / temperature for temperature in self.temperatures], np.float32)
        return blend_scores(chosen, sharpness, np.array(self.shares, np.float32))


def select(paths: Sequence[PathScores], labels: Ints, rows: Ints, *, steps: int = STEPS) -> Recipe:
    """The ensemble that the out-of-fold scores of these rows reward. paths: of each model, (configurations, …, K)."""
    rows = rows[:: max(1, len(rows) // _ROWS)]
    truth = labels[rows]
    members, temperatures, probabilities = [], [], []
    for model, path in enumerate(paths):
        number, temperature = _best(path, truth, rows)
        members.append((model, number))
        temperatures.append(temperature)
        probabilities.append(softmax(path.scores[number][:, rows] / np.float32(temperature)))
    counts = _greedy(np.stack([p[:, np.arange(len(rows)), truth] for p in probabilities]), steps)
    used = np.flatnonzero(counts)
    return Recipe(
        tuple(members[i] for i in used),
        tuple(temperatures[i] for i in used),
        tuple((counts[used] / counts.sum()).tolist()),
    )


def _best(path: PathScores, truth: Ints, rows: Ints) -> tuple[int, float]:
    """The configuration with the least log-loss at its own temperature, and that temperature."""
    tried = []
    for number in range(len(path.configurations)):
        scores = path.scores[number][:, rows]
        temperature = fit_temperature(scores, truth, most_rows=_ROWS)
        tried.append((float(row_losses(scores, truth, temperature).mean()), number, temperature))
    _, number, temperature = min(tried)
    return number, temperature


def _greedy(right: Floats, steps: int) -> Ints:
    """How often each model is taken. right: (models, repeats, rows), the probability that each gives the true class."""
    counts = np.zeros(len(right), np.int64)
    total: Floats = np.zeros_like(right[0])
    best = np.inf
    for step in range(steps):
        losses = [-np.log(np.maximum((total + one) / (step + 1), 1e-9)).mean() for one in right]
        number = int(np.argmin(losses))
        if losses[number] > best - _ENOUGH:
            break
        best = losses[number]
        counts[number] += 1
        total = total + right[number]
    return counts


def crossed_scores(paths: Sequence[PathScores], labels: Ints, folds: Ints) -> Floats:
    """Out-of-fold scores of the ensemble, (repeats, n, K): of each row by an ensemble chosen without its fold.

    folds: (repeats, n); with several repeats the choice leaves the fold of the first one out.
    """
    scores = np.zeros(paths[0].scores.shape[1:], np.float32)
    first = folds[0]
    for fold in np.unique(first[first >= 0]):
        held_out, others = np.flatnonzero(first == fold), np.flatnonzero((first != fold) & (first >= 0))
        scores[:, held_out] = select(paths, labels, others).scores(paths, held_out)
    return scores
