"""Words weighed by TF-IDF in an exported graph: their coefficients inside, the terms of a text outside.

No operator of ONNX cuts a text into runs of characters, so the graph takes terms as numbers: `terms`, int64 (M,), which
of the vocabulary; `weights`, float32 (M,), how much each counts, of length one for every text; `term_text`, int64 (M,),
which text each is of. M is at least 1: a weight of 0 changes nothing. Vocabulary and inverse document frequencies lie
in `<stem>.terms.json` beside the graph. Nothing is run here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headstart.backbones.words import NAME, Words, parse_words
from headstart.data.texts.items import plain_text
from headstart.data.texts.ngrams import terms, weigh
from headstart.model.export.operators import Graph, Value

if TYPE_CHECKING:
    from headstart.backbones.graph import Backbone
    from headstart.model.predictor import Predictor

INPUTS = {"terms": np.int64, "weights": np.float32, "term_text": np.int64}
SUFFIX = ".terms.json"


def words_of(predictor: Predictor) -> Backbone | None:
    """The model's weighed words; None where it has none."""
    return next((part.backbone for part in predictor.parts if part.backbone.name == NAME), None)


def add_words(graph: Graph, backbone: Backbone, numbers: Value) -> dict[tuple[str, str], Value]:
    """The scores (N, K) of texts by their terms: Σ weight · coefficient + intercept. numbers: of the texts, (N,)."""
    words = _parse(backbone)
    last = graph.constant(np.array([1], np.int64))
    rows = graph.cast(graph.op("Gather", words.coefficients, "terms", axis=0), np.float32)
    weighed = graph.op("Mul", rows, graph.op("Unsqueeze", "weights", last))
    belongs = graph.cast(graph.op("Equal", graph.op("Unsqueeze", numbers, last), "term_text"), np.float32)
    scores = graph.op("Add", graph.op("MatMul", belongs, weighed), words.intercept)
    return {(backbone.weights, NAME): scores}


def vocabulary(backbone: Backbone) -> bytes:
    """The content of the file beside the graph: terms, and their inverse document frequencies."""
    words = _parse(backbone)
    values = {"terms": list(words.terms), "idf": words.idf.tolist()}
    return json.dumps(values, separators=(",", ":")).encode()


def words_inputs(backbone: Backbone, texts: Sequence[str]) -> dict[str, NDArray[Any]]:
    """What the graph takes of these texts."""
    words = _parse(backbone)
    numbers = {term: i for i, term in enumerate(words.terms)}
    index: list[NDArray[Any]]
    weights: list[NDArray[Any]]
    owner: list[NDArray[Any]]
    index, weights, owner = [np.zeros(1, np.int64)], [np.zeros(1, np.float32)], [np.zeros(1, np.int64)]
    for row, text in enumerate(texts):
        known, values = weigh(terms(plain_text(text)), numbers, words.idf)
        index.append(known)
        weights.append(values.astype(np.float32))
        owner.append(np.full(len(known), row, np.int64))
    return {name: np.concatenate(column) for name, column in zip(INPUTS, (index, weights, owner), strict=True)}


def _parse(backbone: Backbone) -> Words:
    assert backbone.content is not None
    return parse_words(backbone.content)
