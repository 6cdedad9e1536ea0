"""A batch predicted as if it came from the source: every feature's mean and deviation are brought to those of training.

The analogue, on embeddings, of batch-norm statistics of the batch. It helps where a camera or the light has changed,
and harms where the batch holds the classes in other shares, so it is done only where it is asked for, never for a few
images.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from headstart.errors import DataError
from headstart.heads.solvers.basis import standardise
from headstart.model.rows import read_rows
from headstart.verbs.adapt.target import LEAST

if TYPE_CHECKING:
    from headstart.model.predictor import Features, Predictor
    from headstart.records.arrays import Floats


def adapt_batch(predictor: Predictor, features: Features) -> Features:
    """The batch's features with the training rows' means and deviations.

    Raises `DataError` for fewer than 30 images that can be read, and for a model without its training rows.
    """
    if len(features.X) < LEAST:
        raise DataError(
            f"--adapt needs at least {LEAST} images in the batch that can be read; found {len(features.X)}: give more "
            "of the same place at once, or leave --adapt out."
        )
    saved = predictor.bundle
    rows = None if saved is None else read_rows(saved, predictor.classes, predictor.parts)
    if rows is None:
        raise DataError(
            "--adapt needs the embeddings of the training images, which this model does not hold (an adapted model "
            "needs no --adapt): leave it out, or train again with --keep-training."
        )
    return replace(features, X=match_moments(features.X, rows.features))


def match_moments(X: Floats, reference: Floats) -> Floats:
    """(m, d): `X` with the mean and deviation of `reference` (n, d) in every column, on signed square roots.

    >>> rows = np.array([[1.0], [9.0]], np.float32)
    >>> match_moments(16 * rows, rows).round(3).tolist()
    [[1.0], [9.0]]
    """
    ours, theirs = standardise(X, signed_sqrt=True), standardise(reference, signed_sqrt=True)
    rooted = ours.apply(X) * theirs.scale + theirs.centre
    matched: Floats = (np.sign(rooted) * rooted**2).astype(np.float32)
    return matched
