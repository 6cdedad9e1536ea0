"""Predictions line up with the images that were given, also where one could not be read."""

import numpy as np

from headstart.records.predictions import Prediction, Predictions
from headstart.records.samples import Failure

NAN = float("nan")
PREDICTIONS = Predictions(
    ("a.png", "broken.png", "c.png"),
    ("cat", "dog"),
    np.array([[0.75, 0.25], [NAN, NAN], [0.125, 0.875]], np.float32),
    failures=(Failure(1, "broken.png", "the file is cut short"),),
    novelty=np.array([0.5, NAN, 1.5]),
)


def test_there_is_a_row_for_every_image_in_order() -> None:
    assert len(PREDICTIONS) == 3
    assert PREDICTIONS.labels == ("cat", None, "dog")
    assert list(PREDICTIONS) == [
        Prediction("a.png", "cat", 0.75, 0.5),
        Prediction("broken.png", None, None, None, "the file is cut short"),
        Prediction("c.png", "dog", 0.875, 1.5),
    ]
    assert PREDICTIONS.readable.tolist() == [True, False, True]
    assert PREDICTIONS.novel.tolist() == [False, False, True]


def test_the_readable_ones_alone_have_no_failures() -> None:
    readable = PREDICTIONS.only_readable()
    assert readable.names == ("a.png", "c.png")
    assert readable.labels == ("cat", "dog")
    assert readable.failures == ()
    assert readable.only_readable() is readable
