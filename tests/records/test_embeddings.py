"""Embeddings line up with the images that were asked for."""

import numpy as np

from headstart.records.embeddings import Embeddings
from headstart.records.samples import Failure


def test_an_image_that_could_not_be_read_keeps_its_row() -> None:
    numbers = np.array([[1, 2], [3, 4]], np.float32)
    embeddings = Embeddings("b", {"t": numbers}, np.array([0, 2]), (Failure(1, "broken.png", "cut short"),))
    np.testing.assert_array_equal(embeddings.aligned(), [[1, 2], [np.nan, np.nan], [3, 4]])
    np.testing.assert_array_equal(embeddings.aligned("t"), embeddings.aligned())
