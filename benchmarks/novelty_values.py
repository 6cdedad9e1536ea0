"""What candidates for a novelty score are made of, for `benchmarks/novelty.py`: several values of a row.

`measured` fits every value to known rows and gives it for others; a `Candidate` names some of them and puts them
together. Values of one layer: distance and direction (as the product has them), the nearest known row, the nearest
known direction once the classes' covariance is taken out, and the relative Mahalanobis distance (Ren et al. 2021). Of
a head on the last layer: max-softmax and energy of a logistic probe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.heads.catalog import make_head
from headstart.heads.forms.arrays import unit_rows
from headstart.records.arrays import Floats, Ints
from headstart.trust.novelty.by_layer import fit_scale
from headstart.trust.novelty.mahalanobis import Mahalanobis, fit_mahalanobis, shrunk_covariance
from novelty_baselines import energy, fit_nearest, max_softmax

LAYERS = ("blocks.3", "blocks.4", "blocks.5", "blocks.6", "conv_head")
LAST = LAYERS[-1]
DOUBT = "lite0 conv_head max-softmax"

Values = dict[str, Floats]
"""'backbone layer value' → (n,), higher = more novel."""


@dataclass(frozen=True)
class Candidate:
    """A score: these values, each brought to a common scale, and their mean.

    by_log_tail: the scale of `trust.novelty.by_layer`; else each value in units of its standard deviation on known
    rows.
    """

    name: str
    values: tuple[str, ...]
    by_log_tail: bool = True

    def scores(self, known: Values, others: Values) -> tuple[np.ndarray, np.ndarray]:
        """Of the known rows, out of fold, that also set the scale; and of others."""
        own, rest = (np.stack([rows[name] for name in self.values], axis=1) for rows in (known, others))
        if not self.by_log_tail:
            spreads = np.maximum(own.std(axis=0), 1e-6)
            return (own / spreads).sum(axis=1), (rest / spreads).sum(axis=1)
        scale = fit_scale(own)
        return scale.mean_log_tail(own), scale.mean_log_tail(rest)


def both(layers: int, backbone: str = "lite0") -> tuple[str, ...]:
    """Distance and direction at the last layers."""
    return tuple(f"{backbone} {layer} {value}" for layer in LAYERS[-layers:] for value in ("distance", "direction"))


BEFORE = Candidate("distance + nearest, last layer", (f"lite0 {LAST} distance", f"lite0 {LAST} nearest"), False)
USED = Candidate("distance + direction, 3 layers", both(3))
CANDIDATES = (
    BEFORE,
    Candidate("distance, last layer", (f"lite0 {LAST} distance",)),
    Candidate("nearest, last layer", (f"lite0 {LAST} nearest",)),
    Candidate("relative distance, last layer", (f"lite0 {LAST} relative",)),
    Candidate("max-softmax", (DOUBT,)),
    Candidate("energy", (f"lite0 {LAST} energy",)),
    Candidate("direction, last layer", (f"lite0 {LAST} direction",)),
    Candidate("distance + direction, last layer", both(1)),
    Candidate("distance + direction, 2 layers", both(2)),
    USED,
    Candidate("distance + direction, 5 layers", both(5)),
    Candidate("3 layers, in units of their spread", both(3), False),
    Candidate("3 layers + nearest", (*both(3), f"lite0 {LAST} nearest")),
    Candidate("3 layers + nearest direction", (*both(3), f"lite0 {LAST} nearest-direction")),
    Candidate("3 layers + max-softmax", (*both(3), DOUBT)),
    Candidate("3 layers of lite2", both(3, "lite2")),
    Candidate("3 layers of lite0 and of lite2", (*both(3), *both(3, "lite2"))),
)


def measured(embedded: Mapping[str, Floats], labels: Ints, others: Mapping[str, Floats]) -> Values:
    """Every value of the rows `others`, fitted to the rows `embedded`. Both: 'backbone layer' → (n, d)."""
    found: Values = {}
    for name, X in embedded.items():
        values = _of_layer(X, labels, others[name], whole=name.endswith(LAST))
        found |= {f"{name} {value}": scores for value, scores in values.items()}
    return found


def out_of_fold(embedded: Mapping[str, Floats], labels: Ints, folds: Ints) -> Values:
    """Every value of every row, fitted without its fold."""
    found: dict[str, np.ndarray] = {}
    for fold in np.unique(folds):
        held = folds == fold
        of = measured(rows_of(embedded, ~held), labels[~held], rows_of(embedded, held))
        for name, values in of.items():
            found.setdefault(name, np.empty(len(labels), np.float32))[held] = values
    return found


def rows_of(embedded: Mapping[str, Floats], rows: np.ndarray) -> dict[str, Floats]:
    """Some rows of each layer."""
    return {name: X[rows] for name, X in embedded.items()}


def _of_layer(X: Floats, labels: Ints, others: Floats, *, whole: bool) -> dict[str, Floats]:
    form = fit_mahalanobis(X, labels)
    found = dict(zip(("distance", "direction"), form.distance_and_direction(others).T, strict=True))
    if not whole:
        return found
    scores = make_head("probe").fit(X, labels).form_.scores(others) if len(np.unique(labels)) > 1 else None
    return found | {
        "nearest": fit_nearest(X, labels).score(others),
        "nearest-direction": _nearest_direction(form, X, others),
        "relative": _relative(form, X)(others),
        "max-softmax": np.zeros(len(others), np.float32) if scores is None else max_softmax(scores),
        "energy": np.zeros(len(others), np.float32) if scores is None else energy(scores),
    }


def _nearest_direction(form: Mahalanobis, X: Floats, others: Floats) -> Floats:
    """Distance, 0 to 2, to the nearest known row, both of length one after the classes' covariance is taken out."""
    axes, shorter = form.axes.astype(np.float32), np.sqrt(1 - form.discount) - 1

    def directions(rows: Floats) -> Floats:
        own = unit_rows(rows - form.centre)
        return unit_rows(own + (own @ axes * shorter) @ axes.T)

    return fit_nearest(directions(X), np.zeros(len(X), np.int64)).score(directions(others))


def _relative(form: Mahalanobis, X: Floats) -> Callable[[Floats], Floats]:
    """Mahalanobis distance to the nearest class less that to one Gaussian for all (squared), each shrunk by itself."""
    whole = unit_rows(X - form.centre).astype(np.float64)
    middle = whole.mean(axis=0)
    axes, values, level = shrunk_covariance(whole - middle, 256)

    def score(rows: Floats) -> Floats:
        about = unit_rows(rows - form.centre) - middle
        along = about @ axes
        background = ((about**2).sum(axis=1) - (along**2 * (1 - level / values)).sum(axis=1)) / level
        return (form.distance_and_direction(rows)[:, 0] ** 2 * form.width - background).astype(np.float32)

    return score


def names(backbones: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Which layers are embedded: of the second backbone the last three are looked at."""
    return [(backbone, LAYERS if i == 0 else LAYERS[-3:]) for i, backbone in enumerate(backbones)]
