"""A labelled source and an unlabelled target in one space of few dimensions.

`alike` standardises both domains by the source's mean and deviation, as a head that knows the source alone does;
`apart` standardises each domain by its own, which takes away every shift of single features: the analogue, on
embeddings, of batch-norm statistics taken anew for each domain (AdaBN, Li et al. 2016,
https://arxiv.org/abs/1603.04779). Both then turn the rows onto the first principal axes. Nothing is learnt from labels
here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headstart.heads.forms.arrays import signed_root
from headstart.heads.forms.linear import Linear
from headstart.heads.solvers.basis import Standard, basis, standardise
from headstart.records.arrays import Floats, Ints, require

MOST_AXES = 256
"""Principal axes that are kept: what a linear head on a few hundred images can use, and quick to solve in."""
_MOST_FOR_AXES = 1000
"""Rows that the axes are taken from."""

Reals = NDArray[np.float64]
Tables = NDArray[np.float64]
"""(m, K) probabilities, rows sum to one."""


@dataclass(frozen=True, eq=False)
class Domains:
    """Embeddings of two domains, as a head looks at them.

    source: (n, d). labels: (n,) class numbers of the source. target: (m, d). classes: how many classes there are.
    origins: (n,) which of several source domains each row comes from; None for one.
    """

    source: Floats
    labels: Ints
    target: Floats
    classes: int
    origins: Ints | None = None

    def __post_init__(self) -> None:
        require(len(self.source) == len(self.labels), "one label a source row")
        require(self.source.shape[1] == self.target.shape[1], "both domains have the same columns")
        require(self.origins is None or len(self.origins) == len(self.source), "one origin a source row")

    @property
    def shares(self) -> NDArray[np.float64]:
        """(K,) each class's share of the source."""
        return np.bincount(self.labels, minlength=self.classes) / len(self.labels)


@dataclass(frozen=True, eq=False)
class Space:
    """Both domains on common axes.

    source: (n, r). target: (m, r). axes: (d, r), orthonormal. standard: how a raw target row is standardised.
    """

    source: Floats
    target: Floats
    axes: Floats
    standard: Standard

    def project(self, X: Floats) -> Floats:
        """(k, r): raw rows of the target domain on the axes."""
        rows: Floats = self.standard.apply(X) @ self.axes
        return rows

    def form(self, weights: NDArray[np.float64]) -> Linear:
        """The head of `weights` (r + 1, K), intercepts last, on raw target rows."""
        # w · Vᵀ((x - centre) / scale) = (V w / scale) · (x - centre)
        weight = self.axes @ weights[:-1] / self.standard.scale[:, None]
        flag = np.array(self.standard.signed_sqrt, np.uint8)
        return Linear(
            self.standard.centre, np.ascontiguousarray(weight, np.float32), weights[-1].astype(np.float32), flag
        )


def alike(domains: Domains, *, most_axes: int = MOST_AXES) -> Space:
    """Both domains standardised by the source."""
    standard = standardise(domains.source, signed_sqrt=True)
    return _project(standard.apply(domains.source), standard.apply(domains.target), standard, most_axes)


def apart(
    domains: Domains, *, shares: Reals | None = None, axes: Floats | None = None, most_axes: int = MOST_AXES
) -> Space:
    """Every domain standardised by itself: the target, and each of the sources.

    shares: (K,) the classes' shares that the target is taken to have; the source's mean and deviation are then those of
    a source with these shares, or else a class that is more frequent in the target would be taken for a shift. axes:
    (d, r) of another space of these domains to turn onto: to find axes takes longer than all else here.
    """
    standard = standardise(domains.target, signed_sqrt=True)
    weights = None if shares is None else class_ratios(domains, shares)[domains.labels]
    source, target = standardised_source(domains, weights), standard.apply(domains.target)
    if axes is None:
        return _project(source, target, standard, most_axes)
    return Space(source @ axes, target @ axes, axes, standard)


def class_ratios(domains: Domains, shares: Reals) -> Reals:
    """(K,): how often a source row of each class is to count, so that the source has these shares; 1/20 to 20."""
    ratios: Reals = np.clip(shares / np.maximum(domains.shares, 1e-6), 0.05, 20)
    return ratios


def standardised_source(domains: Domains, weights: Reals | None = None) -> Floats:
    """(n, d): the source rows, each of its domains standardised by itself. weights: (n,) how often each row counts."""
    origins = np.zeros(len(domains.source), np.int64) if domains.origins is None else domains.origins
    counts = np.ones(len(origins)) if weights is None else weights
    rows = signed_root(domains.source).astype(np.float32)
    for origin in np.unique(origins):
        members = origins == origin
        mass = (counts[members] / counts[members].sum()).astype(np.float32)
        centred = rows[members] - mass @ rows[members]
        spread = np.sqrt(mass @ centred**2)
        rows[members] = centred / np.where(spread > 1e-6, spread, 1.0)
    return rows


def _project(source: Floats, target: Floats, standard: Standard, most_axes: int) -> Space:
    """The rows on the principal axes of both domains, each of which counts alike."""
    random = np.random.default_rng(0)
    drawn = [_draw(rows, _MOST_FOR_AXES // 2, random) for rows in (source, target)]
    turned = basis(np.concatenate(drawn))
    order = np.argsort(-turned.energy, kind="stable")[:most_axes]
    axes = np.ascontiguousarray(turned.axes[:, order], np.float32)
    return Space(source @ axes, target @ axes, axes, standard)


def _draw(rows: Floats, most: int, random: np.random.Generator) -> Floats:
    return rows if len(rows) <= most else rows[np.sort(random.permutation(len(rows))[:most])]
