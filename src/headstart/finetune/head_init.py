"""Where the new head of a fine-tune begins: at a linear probe of the frozen embeddings, or at nothing.

`begin_with` gives the first weights; the head works on embeddings standardised by the training rows, so one learning
rate suits every network. Starting from a probe is LP-FT (Kumar et al. 2022, ICLR). It trains no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from headstart.finetune.recipe import Settings
from headstart.heads.forms.linear import Linear
from headstart.heads.logistic import LogisticProbe
from headstart.records.arrays import Floats, Ints

_LEAST_SPREAD = 1e-4  # of the mean spread: a feature that hardly moves is not blown up
_UNSEEN = -8.0


@dataclass(frozen=True, eq=False)
class HeadInit:
    """The head's first weights, on standardised embeddings: (x - centre) / spread @ weight + bias.

    centre, spread: (d,). weight: (d, K). bias: (K,).
    """

    centre: Floats
    spread: Floats
    weight: Floats
    bias: Floats


def initialise_head(X: Floats, y: Ints, settings: Settings, classes: int) -> HeadInit:
    """The start that the settings ask for, from the training rows (n, d) and their class numbers."""
    if settings.random_network:
        return linear_init(X.shape[1], classes)
    if settings.start == "random":
        return random_head(X, classes)
    probe = LogisticProbe(class_weight="balanced" if settings.recipe.balanced else None).fit(X, y)
    return probe_head(X, _spread_over(cast(Linear, probe.form_), probe.classes_, classes))


def probe_head(X: Floats, probe: Linear) -> HeadInit:
    """The start that answers as a linear probe on the rows (n, d) does."""
    _, spread = _standard(X)
    weight = probe.weight * spread[:, None]
    return HeadInit(probe.centre, spread, weight.astype(np.float32), probe.bias)


def random_head(X: Floats, classes: int) -> HeadInit:
    """Zero weights on the rows' own scale: all classes alike."""
    centre, spread = _standard(X)
    return HeadInit(centre, spread, np.zeros((X.shape[1], classes), np.float32), np.zeros(classes, np.float32))


def linear_init(width: int, classes: int) -> HeadInit:
    """Zero weights on embeddings as they are: for a network whose weights are random."""
    zero, one = np.zeros(width, np.float32), np.ones(width, np.float32)
    return HeadInit(zero, one, np.zeros((width, classes), np.float32), np.zeros(classes, np.float32))


def _standard(X: Floats) -> tuple[Floats, Floats]:
    spread = X.std(axis=0)
    floor = max(float(spread.mean()) * _LEAST_SPREAD, 1e-12)
    return X.mean(axis=0), np.maximum(spread, floor).astype(np.float32)


def _spread_over(form: Linear, present: Ints, classes: int) -> Linear:
    """The probe with a column for every class; those that it has not seen lie well below."""
    if len(present) == classes:
        return form
    weight = np.zeros((form.weight.shape[0], classes), np.float32)
    bias = np.full(classes, form.bias.min() + _UNSEEN, np.float32)
    weight[:, present], bias[present] = form.weight, form.bias
    return Linear(form.centre, weight, bias, form.root)
