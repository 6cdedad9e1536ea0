"""Scores that foretell, without training anything, how well a linear model on some features can do: LogME and H-score.

Both take features (n, d) and class numbers (n,) and give one number, higher is better. Neither is an accuracy, and only
scores of the same images compare. They cost one decomposition of the smaller of n and d, and see no held-out row: they
shortlist, and `choose.race` measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart.errors import DataError
from headstart.metrics.intervals import Reals
from headstart.records.arrays import Floats, Ints

_TINY = 1e-12
"""Directions whose share of the largest energy is below this are rounding noise of float64."""
_GRID = np.linspace(-10.0, 10.0, 81)
"""Powers of ten, in units of the mean energy, among which the best ratio of noise to signal is sought."""
_REFINEMENTS = 40
_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


def logme(X: Floats, y: Ints) -> float:
    """Log of the maximum evidence, per image and class: how probable the labels are under linear models with noise.

    You, Liu, Wang, Long 2021 (LogME, ICML): targets of 0 and 1 for each class, weights drawn from N(0, 1/α), noise from
    N(0, 1/β), the evidence maximised over α and β, divided by n, averaged over classes. Features as they are, as there.
    Their fixed point in α and β crawls, or divides zero by zero, where there are fewer images than features and the
    labels can be fitted exactly. Here the scale is maximised in closed form and the one ratio t = α/β that is left on
    a grid of log t, then by golden section; a stationary point of the one is one of the other.

    X: (n, d), finite. y: (n,) class numbers, at least two different ones. Raises `DataError` otherwise.

    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(40) % 2
    >>> X = rng.normal(size=(40, 3)).astype(np.float32)
    >>> logme(X + y[:, None], y) > logme(X, y)
    True
    """
    rows, members = _checked(X, y)
    spectrum = _spectrum(rows, members)
    if not len(spectrum.energy):  # features that are all zero explain nothing: noise alone
        return float(_of_noise(spectrum).mean())
    return float(_best(_Evidence(spectrum)).mean())


def h_score(X: Floats, y: Ints) -> float:
    """How far the classes' mean features lie apart, in units of the features' spread: tr(cov(f)⁻¹ cov(E[f | y])).

    Bao et al. 2019 (ICIP), with the covariance shrunk as in Ibrahim, Ponomareva, Mazumder 2022 ("Newer is not always
    better"): cov(f) becomes (1 - a) S + a tr(S)/d I, with a by Ledoit and Wolf 2004, and the classes' part is
    multiplied by 1 - a. Without that, as soon as d reaches n, every feature set would reach the largest score there is.

    X: (n, d), finite. y: (n,) class numbers, at least two different ones. Returns 0 up to the number of classes less
    one. Raises `DataError` for other input.

    >>> y = np.arange(40) % 2
    >>> X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    >>> h_score(X + y[:, None], y) > h_score(X, y)
    True
    """
    rows, members = _checked(X, y)
    rows -= rows.mean(axis=0)
    spectrum = _spectrum(rows, members)
    if not len(spectrum.energy):
        return 0.0
    shrinkage = _ledoit_wolf(rows, spectrum.energy)
    n, d = rows.shape
    variance = spectrum.energy / n
    shrunk = (1 - shrinkage) * variance + shrinkage * variance.sum() / d
    between = variance * (spectrum.shares**2 / members.sum(axis=0)).sum(axis=1)  # of the classes' means, by direction
    return float((1 - shrinkage) * (between / shrunk).sum())


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """Rows and targets along the rows' own directions.

    energy: (r,) squared singular values of the rows. shares: (r, K) = Uᵀ targets. beyond: (K,) squared length of the
    targets outside the rows' span. n: how many rows.
    """

    energy: Reals
    shares: Reals
    beyond: Reals
    n: int


def _checked(X: Floats, y: Ints) -> tuple[Reals, Reals]:
    """The rows in float64, scaled to a mean square of one (no score minds), and the classes as columns of 0 and 1."""
    rows = np.array(X, dtype=np.float64)
    if rows.ndim != 2 or len(rows) != len(y) or not np.isfinite(rows).all():
        raise DataError(
            f"features must be finite numbers (n, d), one row a label; found the shape {rows.shape} for "
            f"{len(y):,} labels."
        )
    present, labels = np.unique(y, return_inverse=True)
    if len(present) < 2:
        raise DataError("a transferability score needs labels of at least two classes; found one.")
    scale = float(np.sqrt((rows**2).mean()))
    return rows / scale if scale > 0 else rows, np.eye(len(present))[labels]


def _spectrum(rows: Reals, targets: Reals) -> _Spectrum:
    """By the eigenvectors of the smaller of the two products of the rows with themselves."""
    from scipy.linalg import eigh

    n, d = rows.shape
    energy, vectors = eigh(rows.T @ rows if n >= d else rows @ rows.T, driver="evd", check_finite=False)
    above_zero = energy > _TINY * max(float(energy[-1]), _TINY)
    energy, vectors = energy[above_zero], vectors[:, above_zero]
    shares = vectors.T @ (rows.T @ targets) / np.sqrt(energy)[:, None] if n >= d else vectors.T @ targets
    length = (targets**2).sum(axis=0)
    beyond = np.maximum(length - (shares**2).sum(axis=0), _TINY * length)
    return _Spectrum(energy, shares, beyond if n > len(energy) else np.zeros_like(beyond), n)


@dataclass(frozen=True, eq=False)
class _Evidence:
    """The evidence along log10 t, t = α/β in units of the mean energy, the scale 1/α maximised in closed form.

    The targets are N(0, s (F Fᵀ + t I)) with s = 1/α, and the best s is yᵀ (F Fᵀ + t I)⁻¹ y / n.
    """

    of: _Spectrum

    def at(self, power: Reals) -> Reals:
        """Log evidence per row for each class, (K,), at one power a class (K,)."""
        spectrum, n = self.of, self.of.n
        t = 10.0**power * spectrum.energy.mean()
        shifted = spectrum.energy[:, None] + t
        distance = (spectrum.shares**2 / shifted).sum(axis=0) + spectrum.beyond / t
        volume = np.log(shifted).sum(axis=0) + (n - len(spectrum.energy)) * np.log(t)
        value: Reals = -0.5 * (np.log(2 * np.pi * distance / n) + 1.0 + volume / n)
        return value


def _best(evidence: _Evidence) -> Reals:
    """The largest evidence of each class: the best point of the grid, then golden section between its neighbours."""
    classes = evidence.of.shares.shape[1]
    along = np.stack([evidence.at(np.full(classes, power)) for power in _GRID])
    place = along.argmax(axis=0)
    low = _GRID[np.maximum(place - 1, 0)]
    high = _GRID[np.minimum(place + 1, len(_GRID) - 1)]
    for _ in range(_REFINEMENTS):
        reach = _GOLDEN * (high - low)
        left, right = high - reach, low + reach
        rising = evidence.at(left) < evidence.at(right)
        low, high = np.where(rising, left, low), np.where(rising, high, right)
    best: Reals = np.maximum(evidence.at((low + high) / 2), along.max(axis=0))
    return best


def _of_noise(spectrum: _Spectrum) -> Reals:
    noise: Reals = -0.5 * (np.log(2 * np.pi * spectrum.beyond / spectrum.n) + 1.0)
    return noise


def _ledoit_wolf(rows: Reals, energy: NDArray[Any]) -> float:
    """How much of the covariance of centred `rows` (n, d) to replace by a multiple of the identity, 0 to 1.

    Ledoit and Wolf 2004, lemma 3.4: the variance of the covariance's entries over their distance from that multiple,
    both by sums over rows and over the rows' energy, so that no (d, d) matrix is made.
    """
    n, d = rows.shape
    squares = float((energy**2).sum()) / n**2
    apart = squares - float(energy.sum()) ** 2 / (n**2 * d)
    noise = (float(((rows**2).sum(axis=1) ** 2).sum()) / n - squares) / n
    return float(np.clip(noise / apart, 0.0, 1.0)) if apart > 0 else 1.0
