"""Near duplicates among texts."""

from headstart.data.texts.near import search_texts

LONG = "The parcel has not arrived although it was sent three weeks ago, and nobody answers my letters about it"


def test_case_spacing_and_punctuation_make_near_duplicates() -> None:
    result = search_texts(["Where is my card?", "where  is my CARD", "How do I pay?", "Where is my card"])
    assert result.groups == ((0, 1, 3),)
    assert result.likeness == ((1.0, 1.0, 1.0),)


def test_a_letter_changed_in_a_long_text_makes_a_near_duplicate() -> None:
    result = search_texts(
        [LONG, LONG.replace("weeks", "week"), LONG.replace("three weeks ago", "yesterday morning by air")]
    )
    assert result.groups == ((0, 1),)
    assert 0.9 <= result.likeness[0][1] < 1


def test_empty_texts_are_alone() -> None:
    assert search_texts(["", " ", "?"]).groups == ()
