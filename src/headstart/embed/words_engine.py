"""The engine for weighed words: a class's score for each text, in numpy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.words import parse_words
from headstart.data.texts.ngrams import terms, weigh
from headstart.embed.engine import Engine
from headstart.errors import InternalError
from headstart.records.arrays import Floats

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone

_TEXTS = 256


class WordsEngine(Engine):
    """Words with their coefficients, ready to score texts."""

    def __init__(self, backbone: Backbone) -> None:
        if backbone.content is None:
            raise InternalError("weighed words come with their content.")
        self.batch, self.requests = _TEXTS, 1
        self._words = parse_words(backbone.content)
        self._numbers = {term: i for i, term in enumerate(self._words.terms)}

    def run(self, inputs: NDArray[Any], count: int) -> Floats:
        """As the contract says: (count, K) scores."""
        words = self._words
        scores = np.empty((count, len(words.intercept)), np.float32)
        for row in range(count):
            index, values = weigh(terms(str(inputs[row])), self._numbers, words.idf)
            scores[row] = values @ words.coefficients[index].astype(np.float32) + words.intercept
        return scores
