"""Weighed words as a backbone of texts: its one tap is a score for each class, by a linear model on TF-IDF.

It is fitted on the user's own texts (`pipeline.words`) and saved with the model: `words.safetensors` holds the terms,
their weights among texts, and the coefficients in half precision. Nothing is fitted here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.backbones.graph import Backbone, Tap
from headstart.data.texts.items import plain_text
from headstart.data.texts.spec import Texts
from headstart.errors import BundleError
from headstart.records.arrays import Floats
from headstart.storage.arrays import Layout, check_arrays, dump_arrays, load_arrays

NAME = "words"
FILE = "words.safetensors"
_WHAT = "weighed words"
_LAYOUT: Layout = {
    "terms": ("u1", "b"),
    "idf": ("f4", "v"),
    "coefficients": ("f2", "vK"),
    "intercept": ("f4", "K"),
}


@dataclass(frozen=True)
class WordSpec(Texts):
    """What weighed words take: texts as they are."""

    def load(self, item: str) -> NDArray[Any]:
        """The text in its plain form, in an array; raises `UnreadableImage` for an empty one."""
        return np.array(plain_text(item))

    def to_dict(self) -> dict[str, Any]:
        """The specification as JSON-like values."""
        return {"kind": NAME}

    def fingerprint(self) -> str:
        """Names how a text is read."""
        return fingerprint.hash_parts(NAME, 1)


@dataclass(frozen=True, eq=False)
class Words:
    """Terms with their weights among texts (v,), and a linear model on them: coefficients (v, K), intercept (K,)."""

    terms: tuple[str, ...]
    idf: Floats
    coefficients: NDArray[np.float16]
    intercept: Floats

    def to_bytes(self) -> bytes:
        """As `read_words` takes them."""
        joined = "\n".join(self.terms).encode("utf-8", "surrogatepass")
        arrays: dict[str, NDArray[Any]] = {
            "idf": self.idf,
            "coefficients": self.coefficients,
            "intercept": self.intercept,
        }
        return dump_arrays({"terms": np.frombuffer(joined, np.uint8), **arrays})


def words_backbone(content: bytes) -> Backbone:
    """The backbone whose words these are; raises `BundleError` where the content is none."""
    words = parse_words(content)
    tap = Tap(NAME, len(words.intercept), 0, "last")
    return Backbone(
        name=NAME,
        graph=Path(FILE),
        spec=WordSpec(),
        taps=(tap,),
        weights=fingerprint.hash_bytes(content),
        licence="as your texts",
        source="fitted to your texts",
        facts={"terms": len(words.terms)},
        content=content,
    )


def read_words(path: Path) -> Backbone:
    """The backbone in a saved model's file."""
    return words_backbone(path.read_bytes())


def parse_words(content: bytes) -> Words:
    """The words in a file's content; raises `BundleError` where they contradict each other."""
    arrays = check_arrays(_WHAT, load_arrays(_WHAT, content), _LAYOUT)
    terms = tuple(arrays["terms"].tobytes().decode("utf-8", "replace").split("\n"))
    if len(terms) != len(arrays["idf"]) or len(set(terms)) < len(terms):
        raise BundleError(f"the saved {_WHAT} cannot be used: their terms do not fit: copy or train the model again.")
    return Words(terms, arrays["idf"], arrays["coefficients"], arrays["intercept"])
