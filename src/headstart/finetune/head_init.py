"""Initial weights of a fine-tune's classification head: a fitted linear probe (LP-FT, Kumar et al. 2022) or zero.

The head works on embeddings standardised by the training rows, so one learning rate suits every network. No network is
trained here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from headstart.finetune.recipe import TrainingConfig
from headstart.heads.forms.linear import Linear
from headstart.heads.logistic import LogisticProbe
from headstart.records.arrays import Floats, Ints

_LEAST_SPREAD = 1e-4  # of the mean spread: a feature that hardly moves is not blown up
_ABSENT = -8.0  # intercept, below the least of the others, of a class without training rows


@dataclass(frozen=True, eq=False)
class HeadInit:
    """The head's initial weights, on standardised embeddings: (x - centre) / spread @ weight + bias.

    centre, spread: (d,). weight: (d, K). bias: (K,).
    """

    centre: Floats
    spread: Floats
    weight: Floats
    bias: Floats


def initialise_head(X: Floats, labels: Ints, config: TrainingConfig, classes: int) -> HeadInit:
    """The initialisation that the configuration asks for, from the training rows (n, d) and their class numbers."""
    if config.random_network:
        return linear_init(X.shape[1], classes)
    if config.head_init == "random":
        return random_head(X, classes)
    probe = LogisticProbe(class_weight="balanced" if config.recipe.balanced else None).fit(X, labels)
    return probe_head(X, _expand_classes(cast(Linear, probe.form_), probe.classes_, classes))


def probe_head(X: Floats, probe: Linear) -> HeadInit:
    """The initialisation that predicts as a linear probe on the rows (n, d) does."""
    _, spread = _standardise(X)
    # w · (x - centre) = (w spread) · (x - centre) / spread
    weight = probe.weight * spread[:, None]
    return HeadInit(probe.centre, spread, weight.astype(np.float32), probe.bias)


def random_head(X: Floats, classes: int) -> HeadInit:
    """Zero weights on the rows' own scale: all classes alike."""
    centre, spread = _standardise(X)
    return HeadInit(centre, spread, np.zeros((X.shape[1], classes), np.float32), np.zeros(classes, np.float32))


def linear_init(width: int, classes: int) -> HeadInit:
    """Zero weights on embeddings as they are: for a network whose weights are random."""
    zero, one = np.zeros(width, np.float32), np.ones(width, np.float32)
    return HeadInit(zero, one, np.zeros((width, classes), np.float32), np.zeros(classes, np.float32))


def _standardise(X: Floats) -> tuple[Floats, Floats]:
    spread = X.std(axis=0)
    floor = max(float(spread.mean()) * _LEAST_SPREAD, 1e-12)
    return X.mean(axis=0), np.maximum(spread, floor).astype(np.float32)


def _expand_classes(form: Linear, present: Ints, classes: int) -> Linear:
    """The probe with a column for every class; the scores of those without training rows lie well below the others."""
    if len(present) == classes:
        return form
    weight = np.zeros((form.weight.shape[0], classes), np.float32)
    bias = np.full(classes, form.bias.min() + _ABSENT, np.float32)
    weight[:, present], bias[present] = form.weight, form.bias
    return Linear(form.centre, weight, bias, form.root)
