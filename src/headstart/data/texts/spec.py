"""What a text network expects of its input: its tokeniser, how many pieces at a time, and what stands before a text.

`TextSpec` is the text's `InputSpec`: it loads a text as numbers of pieces. The tokeniser lies in a file beside the
graph, and its fingerprint in the description. Its own truncation and padding are never used: many files cut at 128
pieces without a word. Texts longer than a window are cut into windows by the engine. Needs `tokenizers` when it loads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from headstart import fingerprint
from headstart.data.texts.items import plain_text, text_list, text_name
from headstart.data.texts.load import find_texts
from headstart.data.texts.remarks import PieceCounts, remarks, some_texts
from headstart.errors import BundleError, MissingExtra, UnreadableImage
from headstart.records.samples import Samples

KIND = "text"
SUFFIX = ".tokenizer.json"
MOST_PIECES = 8192
"""Of a text; what lies behind takes no part."""
FIRST_WORDS = 3
_MOST_CHARACTERS = 200_000
_UNKNOWN = ("[UNK]", "<unk>")
_FIELDS = ("kind", "tokenizer", "window", "prefix")


class Texts:
    """What every network of texts does alike: its items are strings, and batches hold arrays of any length."""

    modality: ClassVar[str] = "text"

    def buffer(self, count: int) -> NDArray[Any]:
        """An empty batch for `count` texts: places for arrays, which differ in length."""
        return np.empty(count, object)

    def chosen_as(self, values: object) -> Self:
        """The same: nothing of it is chosen on the data."""
        return self

    def items(self, values: Any) -> list[str]:
        """Texts from whatever holds them in Python."""
        return text_list(values)

    def name(self, item: str, position: int) -> str:
        """What to call a text in tables and messages."""
        return text_name(position)

    def find(self, places: Any) -> Samples:
        """The unlabelled texts in files and tables."""
        return find_texts(places)

    def notes(self, items: Any) -> tuple[str, ...]:
        """Nothing needs to be said of how texts were read."""
        return ()


@dataclass(frozen=True)
class TextSpec(Texts):
    """What a text network expects of its input; it travels with the weights.

    file: the tokeniser. tokenizer: its fingerprint. window: the most pieces that the network takes at a time, those at
    the ends counted. prefix: what stands before every text. language: what it was trained on, for remarks alone.
    """

    file: Path
    tokenizer: str
    window: int
    prefix: str = ""
    language: str = field(default="", compare=False)

    @classmethod
    def of(cls, file: Path, *, window: int, prefix: str = "") -> TextSpec:
        """With the tokeniser in this file."""
        return cls(file, fingerprint.hash_file(file), window, prefix)

    def load(self, item: str) -> NDArray[np.int32]:
        """How many pieces the first three words have, then the pieces: (1 + pieces,) int32, without special ones.

        Raises `UnreadableImage` for a text of which nothing is left.
        """
        text = plain_text(item)[:_MOST_CHARACTERS]
        encoding = _tokenizer(self.file).encode(self.prefix + text, add_special_tokens=False)
        pieces, words = encoding.ids[:MOST_PIECES], encoding.word_ids[:MOST_PIECES]
        if not pieces:
            raise UnreadableImage("nothing is left of it for the network")
        first = sum(1 for word in words if word is not None and word < self.first_words)
        return np.array([first, *pieces], np.int32)

    @property
    def first_words(self) -> int:
        """How many words stand first: the prefix's, and three of the text."""
        words = _tokenizer(self.file).encode(self.prefix, add_special_tokens=False).word_ids if self.prefix else []
        return FIRST_WORDS + len({word for word in words if word is not None})

    def notes(self, items: Any) -> tuple[str, ...]:
        """Which texts are read in windows, and whether the words are those of another language."""
        return remarks(self.count(items), window=self.window, most=MOST_PIECES, language=self.language)

    def count(self, items: Sequence[str]) -> PieceCounts:
        """Words and pieces of texts; of very many, of some that are evenly drawn. Empty ones are left out."""
        texts = [text for item in some_texts(items) if (text := item.strip()[:_MOST_CHARACTERS])]
        tokenizer = _tokenizer(self.file)
        unknown = unknown_piece(tokenizer)
        pieces = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        numbers = (
            [len(text.split()) for text in texts],
            [len(ids) for ids in pieces],
            [ids.count(unknown) for ids in pieces],
        )
        return PieceCounts(*(np.array(column, np.int64) for column in numbers))

    def ends(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The numbers of the pieces that the tokeniser puts before a text and after it; none for GPT-2's kin."""
        encoding = _tokenizer(self.file).encode("a")
        own = [i for i, special in enumerate(encoding.special_tokens_mask) if not special] or [0]
        return tuple(encoding.ids[: own[0]]), tuple(encoding.ids[own[-1] + 1 :])

    @property
    def room(self) -> int:
        """The most pieces of a text in a window."""
        before, after = self.ends()
        return self.window - len(before) - len(after)

    def to_dict(self) -> dict[str, Any]:
        """The specification as JSON-like values; `from_dict` reads them back."""
        return {"kind": KIND, "tokenizer": self.tokenizer, "window": self.window, "prefix": self.prefix}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], file: Path) -> TextSpec:
        """The specification from `to_dict`'s values and its tokeniser's file; else `BundleError`."""
        if set(values) != set(_FIELDS):
            raise BundleError(f"a text specification must have the fields {list(_FIELDS)}; found {sorted(values)}.")
        window, prefix = values["window"], values["prefix"]
        if type(window) is not int or not 8 <= window <= MOST_PIECES or not isinstance(prefix, str):
            raise BundleError(
                f"a text specification has the window {window!r} and the prefix {prefix!r}: it is damaged."
            )
        if not file.is_file() or fingerprint.hash_file(file) != values["tokenizer"]:
            raise BundleError(f"the tokeniser {file} is missing or not the one that the network was made with.")
        return cls(file, values["tokenizer"], window, prefix)

    def fingerprint(self) -> str:
        """Names the pieces that `load` makes."""
        return fingerprint.hash_parts(KIND, 1, self.to_dict())


def unknown_piece(tokenizer: Any) -> int:
    """The number of what stands for words that a tokeniser does not know; -1 where there is none."""
    numbers = [tokenizer.token_to_id(word) for word in _UNKNOWN]
    return next((number for number in numbers if number is not None), -1)


@lru_cache(maxsize=4)
def _tokenizer(file: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtra("Reading texts", "text", "tokenizers") from error
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
