"""What a user should know of how a network reads texts: long ones in windows, and those of another language in pieces.

All of it is counted by the network's own tokeniser. A language is not recognised: it shows in words that are cut into
many pieces, and in pieces that the network does not know. Nothing is left out here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.checks import quantity
from headstart.records.arrays import Ints

MOST_PIECES_A_WORD = 1.7
"""English takes 1.1 to 1.6 (questions, reviews, documentation, short messages), French 1.7, German, Spanish and
Dutch 2.1 to 2.5 in an English vocabulary (docs/evidence/text.md)."""
MOST_UNKNOWN = 0.02
_FOREIGN, _FEWEST_WORDS, _SHARE = 2.0, 4, 0.1
"""A text of so many words counts as foreign from so many pieces a word on; named from this share of the texts on."""
_MOST_TEXTS = 20_000


@dataclass(frozen=True, eq=False)
class PieceCounts:
    """Of every text: its words between blanks, its pieces, and those of them that are unknown, (n,) each."""

    words: Ints
    pieces: Ints
    unknown: Ints

    @property
    def per_word(self) -> float:
        """Pieces a word, over all texts."""
        return float(self.pieces.sum() / max(1, self.words.sum()))

    @property
    def unknown_share(self) -> float:
        """The share of unknown pieces."""
        return float(self.unknown.sum() / max(1, self.pieces.sum()))

    @property
    def foreign(self) -> float:
        """The share of the texts that take many pieces a word."""
        return float(np.mean((self.words >= _FEWEST_WORDS) & (self.pieces >= _FOREIGN * self.words)))


def some_texts(items: Sequence[str]) -> Sequence[str]:
    """All texts, or so many of them, evenly drawn, that counting takes no more than a second."""
    return items[:: -(-len(items) // _MOST_TEXTS)] if items else items


def remarks(counts: PieceCounts, *, window: int, most: int, language: str = "") -> tuple[str, ...]:
    """The sentences, the most important first; none of texts that fit the network.

    Pieces a word are judged where the network's language is known: other vocabularies cut otherwise.

    window: the most pieces at a time, the two at the ends counted. most: what lies behind so many is not read.
    language: what the network was trained on, '' where that is not known.

    >>> counts = PieceCounts(np.array([10, 10]), np.array([31, 31]), np.array([0, 0]))
    >>> remarks(counts, window=256, most=8192, language="English")
    ('These texts take 3.1 pieces a word: the encoder was trained on English (about 1.3), and these look like another \
language, code or rare terms. What it says of them is worth less.',)
    """
    if not len(counts.pieces):
        return ()
    return tuple(itertools.chain(_language(counts, language), _length(counts.pieces, window, most)))


def _language(counts: PieceCounts, language: str) -> Iterator[str]:
    trained = f"the encoder was trained on {language} (about 1.3)"
    looks = "look like another language, code or rare terms. What it says of them is worth less."
    if counts.unknown_share > MOST_UNKNOWN:
        share = f"{100 * counts.unknown_share:.0f} % of the pieces of these texts are unknown to the encoder"
        yield f"{share}, and they take {counts.per_word:.1f} pieces a word: they {looks}"
    elif language and counts.per_word > MOST_PIECES_A_WORD:
        yield f"These texts take {counts.per_word:.1f} pieces a word: {trained}, and these {looks}"
    elif language and counts.foreign >= _SHARE:
        share = f"{100 * counts.foreign:.0f} % of the texts take 2 pieces a word or more"
        yield f"{share}: {trained}, and these {looks}"


def _length(pieces: Ints, window: int, most: int) -> Iterator[str]:
    long, cut = int((pieces > window - 2).sum()), int((pieces > most).sum())
    if long:
        share = 100 * long / len(pieces)
        words = f"{share:.0f} % of the texts are" if share >= 1 else f"{quantity(long, 'text')} {_be(long)}"
        yield f"{words} longer than {window} tokens: read in windows of that length, whose means are averaged."
    if cut:
        yield f"Of {quantity(cut, 'text')} the first {most:,} tokens were read, and nothing behind them."


def _be(count: int) -> str:
    return "is" if count == 1 else "are"
