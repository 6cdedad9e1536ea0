"""What is said of long texts and of texts in another language, from the tokeniser's own counts."""

import numpy as np
import pytest

from headstart.backbones.opening import open_backbone
from headstart.data.texts.remarks import PieceCounts, remarks, some_texts
from headstart.data.texts.spec import TextSpec

GERMAN = ["Wo ist meine verlorene Kreditkarte geblieben?", "Ich möchte meinen Ratenkredit vorzeitig zurückzahlen."]
ENGLISH = ["Where is my lost credit card?", "I would like to pay back my loan early, please."]


@pytest.fixture(scope="module")
def spec() -> TextSpec:
    found = open_backbone("minilm").spec
    assert isinstance(found, TextSpec)
    return found


def test_nothing_is_said_of_short_english_texts(spec: TextSpec) -> None:
    assert spec.notes(ENGLISH) == ()
    assert spec.notes([]) == ()
    assert spec.notes(["", "  "]) == ()


def test_german_texts_take_many_pieces_a_word_for_an_english_encoder(spec: TextSpec) -> None:
    (note,) = spec.notes(GERMAN)
    assert note.startswith("These texts take 3.2 pieces a word: the encoder was trained on English (about 1.3)")
    assert note.endswith(
        "and these look like another language, code or rare terms. What it says of them is worth less."
    )


def test_a_share_of_german_texts_is_named(spec: TextSpec) -> None:
    (note,) = spec.notes(ENGLISH * 4 + GERMAN)
    assert note.startswith("20 % of the texts take 2 pieces a word or more: the encoder was trained on English")


def test_pieces_that_are_unknown_are_named_first(spec: TextSpec) -> None:
    (note,) = spec.notes(["ᚠᛇᚻ ᛒᛦᚦ ᚠᚱᚩᚠᚢᚱ"])
    assert note.startswith("100 % of the pieces of these texts are unknown to the encoder")


def test_long_texts_are_read_in_windows_and_their_share_is_told(spec: TextSpec) -> None:
    (note,) = spec.notes(["The bank is open. " * 100, *ENGLISH * 2, ENGLISH[0], ENGLISH[1], ENGLISH[0]])
    assert (
        note
        == "12 % of the texts are longer than 256 tokens: read in windows of that length, whose means are averaged."
    )


def test_a_single_long_text_among_many_is_counted(spec: TextSpec) -> None:
    (note,) = spec.notes(["The bank is open. " * 100, *ENGLISH * 150])
    assert note.startswith("1 text is longer than 256 tokens")


def test_what_lies_behind_the_last_piece_that_is_read_is_told(spec: TextSpec) -> None:
    notes = spec.notes(["bank " * 9000])
    assert notes[-1] == "Of 1 text the first 8,192 tokens were read, and nothing behind them."


def test_of_an_encoder_whose_language_is_not_known_unknown_pieces_alone_are_told() -> None:
    counts = PieceCounts(np.array([10]), np.array([31]), np.array([0]))
    assert remarks(counts, window=256, most=8192) == ()
    (note,) = remarks(PieceCounts(counts.words, counts.pieces, np.array([9])), window=256, most=8192)
    assert note.startswith("29 % of the pieces of these texts are unknown to the encoder")


def test_of_very_many_texts_some_are_counted() -> None:
    assert len(some_texts(["a"] * 50_000)) == 16_667
    assert len(some_texts(["a"] * 20_000)) == 20_000
