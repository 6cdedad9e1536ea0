"""Which words carried a model's answer to a text: each is left out in turn, and the answer is looked at again.

Occlusion (Zeiler and Fergus 2014, section 4.1, there of patches of a picture). A word's weight is by how much the
log-odds of the predicted class fall without it. All texts without a word go through the network in one pass. A long
text is cut into at most `PIECES` runs of words. It says what the model used, not why something is so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.data.texts.items import plain_text
from headstart.data.texts.spec import TextSpec
from headstart.device import FULL, choose_device
from headstart.errors import OptionError, UnreadableImage
from headstart.records.arrays import Floats

if TYPE_CHECKING:
    from headstart.device import Device
    from headstart.model.predictor import Predictor

PIECES = 64
"""Runs of words that a long text is cut into."""
_WORD = re.compile(r"\w+(?:['’.-]\w+)*|[^\w\s]+")
_LEAST = 1e-6
CARRIES = 0.1
"""A word whose absence lowers the log-odds by less carried nothing: about two points of a hundred at even odds."""


@dataclass(frozen=True)
class WordWeight:
    """A word of a text, or a run of words of a long one.

    word: as it stands there. weight: by how much the log-odds of the predicted class fall without it; below 0 it spoke
    against it. without: the class's probability without it.
    """

    word: str
    weight: float
    without: float


@dataclass(frozen=True)
class Explanation:
    """Why a text was answered as it was.

    name: of the text. label: the predicted class, None where it could not be read. confidence: its probability.
    words: in the order of the text.
    """

    name: str
    label: str | None
    confidence: float
    words: tuple[WordWeight, ...] = ()

    def carried(self, most: int = 3) -> tuple[WordWeight, ...]:
        """The words that carried the answer, the most important first."""
        heavy = sorted(self.words, key=lambda word: -word.weight)
        return tuple(word for word in heavy[:most] if word.weight >= CARRIES)

    def against(self, most: int = 1) -> tuple[WordWeight, ...]:
        """The words that spoke against it, the strongest first."""
        light = sorted(self.words, key=lambda word: word.weight)
        return tuple(word for word in light[:most] if word.weight <= -CARRIES)

    def to_dict(self) -> list[dict[str, Any]]:
        """The words as JSON-able values."""
        return [
            {"word": word.word, "weight": round(word.weight, 4), "without": round(word.without, 6)}
            for word in self.words
        ]


def explain(
    model: Path | str | Predictor, texts: Any, *, names: Sequence[str] | None = None, device: str | Device = "auto"
) -> tuple[Explanation, ...]:
    """Which words carried a model's answers, by leaving each out.

    Parameters
    ----------
    model : path or Predictor
        The folder of a saved model of texts, or a model that was loaded.
    texts : sequence of n str, or path
        Texts, or a table or file of texts.
    names : sequence of n str, optional
        What to call them; default: as `predict` does.
    device : str
        As for `predict`.

    Returns
    -------
    tuple of Explanation
        One for each text, in order.

    Raises
    ------
    OptionError
        The model is one of images.

    References
    ----------
    Occlusion: Zeiler and Fergus 2014 (https://arxiv.org/abs/1311.2901), section 4.1.

    Examples
    --------
    ::

        headstart.explain("model/", ["Where is my card?"])[0].carried()
    """
    from headstart.model.load import load_model

    predictor = load_model(model) if isinstance(model, (str, os.PathLike)) else model
    spec = predictor.parts[0].backbone.spec
    if spec.modality != TextSpec.modality:
        raise OptionError("words are explained of models of texts, and this one is of images: leave --explain out.")
    samples = spec.find(texts)
    listed = list(samples.names if names is None else names)
    chosen = choose_device(device, precision=FULL) if isinstance(device, str) else device  # as `predict` answers
    variants, spans = _variants(samples.items)
    probabilities = predictor.predict(variants, device=chosen).probabilities
    explanations, low = [], 0
    for name, words in zip(listed, spans, strict=True):
        high = low + 1 + len(words)
        explanations.append(_explanation(name, words, probabilities[low:high], predictor.classes))
        low = high
    return tuple(explanations)


def _variants(items: Sequence[Any]) -> tuple[list[str], list[list[str]]]:
    """Every text followed by itself without each of its words; and the words."""
    variants: list[str] = []
    spans: list[list[str]] = []
    for item in items:
        text = _plain(item)
        places = _places(text)
        variants += [text, *(" ".join(f"{text[:low]} {text[high:]}".split()) for low, high in places)]
        spans.append([text[low:high] for low, high in places])
    return variants, spans


def _plain(item: Any) -> str:
    try:
        return plain_text(item)
    except UnreadableImage:
        return ""


def _places(text: str) -> list[tuple[int, int]]:
    """Where the words stand, or runs of them; none in a text of one word, without which nothing would be left."""
    words = [match.span() for match in _WORD.finditer(text)]
    runs = np.array_split(np.arange(len(words)), min(PIECES, len(words))) if len(words) > 1 else []
    return [(words[run[0]][0], words[run[-1]][1]) for run in runs]


def _explanation(name: str, words: Sequence[str], probabilities: Floats, classes: Sequence[str]) -> Explanation:
    """probabilities: (1 + words, K), of the whole text first."""
    if np.isnan(probabilities[0]).any():
        return Explanation(name, None, float("nan"))
    best = int(probabilities[0].argmax())
    odds = _log_odds(probabilities[:, best])
    weights = [
        WordWeight(word, float(odds[0] - odds[i + 1]), float(probabilities[i + 1, best]))
        for i, word in enumerate(words)
    ]
    return Explanation(name, classes[best], float(probabilities[0, best]), tuple(weights))


def _log_odds(share: Floats) -> Floats:
    """log p / (1 − p), within a millionth of the ends."""
    clipped = np.clip(share.astype(np.float64), _LEAST, 1 - _LEAST)
    odds: Floats = np.log(clipped / (1 - clipped))
    return odds
