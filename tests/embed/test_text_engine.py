"""The engine for texts: equal rows whatever came along, windows, and the published network's numbers."""

import numpy as np
import pytest

from headstart.backbones.graph import Backbone
from headstart.backbones.opening import open_backbone
from headstart.device import choose_device
from headstart.embed.extract import embed
from headstart.embed.text_engine import padded_length
from headstart.records.embeddings import Embeddings

TEXTS = [
    "Where is my card?",
    "a",
    "The film was " + "very " * 40 + "long.",
    "How do I top up by bank transfer, please?",
]


@pytest.fixture(scope="module")
def encoder() -> Backbone:
    return open_backbone("minilm")


def rows(encoder: Backbone, texts: list[str]) -> Embeddings:
    return embed(texts, encoder, device=choose_device("cpu", precision="f32"))  # type: ignore[arg-type]


def test_every_layer_has_a_row_of_length_one(encoder: Backbone) -> None:
    table = rows(encoder, TEXTS)
    assert list(table.taps) == [f"layer{k}.first" for k in range(3, 7)] + [f"layer{k}" for k in range(7)]
    for values in table.taps.values():
        assert values.shape == (4, 384)
        np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-5)


def test_a_row_does_not_depend_on_what_came_along(encoder: Backbone) -> None:
    together = rows(encoder, TEXTS).joined()
    for i, text in enumerate(TEXTS):
        np.testing.assert_array_equal(rows(encoder, [text]).joined()[0], together[i])


def test_a_long_text_is_the_mean_of_its_windows_by_their_length(encoder: Backbone) -> None:
    one, other = "bank " * 254, "film " * 127
    long = rows(encoder, [one + other]).last[0]
    first, second = rows(encoder, [one.strip(), other.strip()]).last
    mixture = 256 * first * _norm(encoder, one) + 129 * second * _norm(encoder, other)
    np.testing.assert_allclose(long, mixture / np.linalg.norm(mixture), atol=0.02)


def _norm(encoder: Backbone, text: str) -> float:
    """Means of the last layer are of like length, whatever the text."""
    return 1.0


def test_the_first_words_alone_decide_what_stands_first(encoder: Backbone) -> None:
    table = rows(encoder, ["Where is my card?", "Where is my purse?", "Why was this so?"])
    first = table.taps["layer3.first"]
    assert first[0] @ first[1] > first[0] @ first[2]


def test_empty_texts_fail_and_the_others_do_not(encoder: Backbone) -> None:
    table = rows(encoder, ["one", " ", "two"])
    assert table.rows.tolist() == [0, 2]
    assert [(failure.row, failure.reason) for failure in table.failures] == [(1, "it is empty")]


def test_the_meaning_is_that_of_the_published_network(encoder: Backbone) -> None:
    vectors = rows(encoder, ["A man is eating food.", "Someone eats a meal.", "The sky is blue."]).last
    assert vectors[0] @ vectors[1] > 0.6
    assert abs(vectors[0] @ vectors[2]) < 0.2


def test_windows_are_padded_in_steps_of_an_eighth() -> None:
    assert [padded_length(n) for n in (1, 5, 17, 65, 129, 256)] == [4, 8, 20, 72, 144, 256]
    assert all(n <= padded_length(n) <= max(4, 1.25 * n + 4) for n in range(1, 257))
