"""What a split that parts duplicates would have claimed, beside one that holds them together: one probe, both ways.

`duplicate_claims` takes prepared data and gives `AccuracyClaims`, or None where duplicates are few; `claim_notes` says
it in the note on duplicates.
The probe looks at several layers of the first backbone, at as many images as seconds allow, and at none that are held
out. It decides nothing: the race measures with duplicates held together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from headstart.data.sampling import random_groups
from headstart.data.splits import folds_for
from headstart.errors import DataError
from headstart.heads.catalog import HEADS
from headstart.model.facts import AccuracyClaims
from headstart.pipeline.candidates import LAYERS
from headstart.pipeline.probe import HEAD, MANY_DUPLICATES, accuracy_claims, probe_probabilities
from headstart.records.arrays import Ints
from headstart.records.run import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headstart.pipeline.prepare import Prepared

_SIZES = (2000, 1000, 500)
_SECONDS = 3.0
"""Modelled, for each of the two measurements."""


def duplicate_claims(prepared: Prepared, fit: Ints, *, seed: int = 0, cache: bool = True) -> AccuracyClaims | None:
    """Accuracies of one probe with duplicates parted and with duplicates held together.

    fit: (m,) rows that may be looked at. None where fewer than 5 % of them are further duplicates of others, where the
    data's own groups hold them together anyway, where the probe would take too long, or where the folds cannot
    be laid.
    """
    samples, duplicates = prepared.samples.take(fit), prepared.duplicates.take(fit)
    if samples.groups is None or not duplicates.redundant or duplicates.redundant < MANY_DUPLICATES * len(fit):
        return None
    if duplicates.data_groups is not None and len(np.unique(duplicates.data_groups)) == len(np.unique(samples.groups)):
        return None
    embedded = prepared.embedded[0]
    taps = list(embedded.taps)[-LAYERS:]
    rows = _affordable_rows(
        duplicates.groups, sum(embedded.taps[tap].shape[1] for tap in taps), len(samples.classes), seed
    )
    if not len(rows):
        return None
    X, labels = embedded.take(fit[rows]).joined(taps), samples.labels[rows]
    try:
        run = Run(seed=seed, cache=cache)
        group_aware = probe_probabilities(X, labels, samples.groups[rows], run)
        data_groups = None if duplicates.data_groups is None else duplicates.data_groups[rows]
        leaky = probe_probabilities(X, labels, data_groups, run)
    except DataError:
        return None
    return accuracy_claims(leaky, group_aware, labels)


def _affordable_rows(groups: Ints, width: int, classes: int, seed: int) -> Ints:
    """All rows, or those of random groups where all would take too long; none where any would."""
    for most in (len(groups), *(size for size in _SIZES if size < len(groups))):
        if HEADS[HEAD].seconds(most, width, classes, folds_for(most, classes)) <= _SECONDS:
            return random_groups(groups, most, seed)
    return np.zeros(0, np.int64)


def claim_notes(notes: Sequence[str], note: str, claims: AccuracyClaims | None) -> tuple[str, ...]:
    """The notes, the one on duplicates with what was claimed."""
    if claims is None:
        return tuple(notes)
    more = (
        f"A split that parts them would have claimed {claims.leaky} accuracy for a linear probe; with duplicates held "
        f"together it is {claims.group_aware}."
    )
    return tuple(f"{line} {more}" if line == note else line for line in notes)
