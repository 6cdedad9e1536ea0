"""The words that carried an answer, by leaving each out."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import headstart as run
from tests.verbs.test_texts import coded, texts

import headstart
from headstart.errors import OptionError
from headstart.model.model import Model
from headstart.report.words import carried_words, word_line
from headstart.verbs.explain import PIECES, Explanation, WordWeight


@pytest.fixture(scope="module")
def spoken() -> Model:
    return headstart.train(*zip(*texts(), strict=True), heads="lda", folds=3, repeats=1)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def saved(spoken: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("model") / "model"
    spoken.save(place)
    return place


def test_the_word_that_names_the_class_carries_the_answer(spoken: Model) -> None:
    first, second = headstart.explain(spoken.predictor, ["where is my mortgage?", "please cancel the hotel room"])
    assert (first.label, first.carried(1)[0].word) == ("loan", "mortgage")
    assert (second.label, second.carried(1)[0].word in {"hotel", "room"}) == ("travel", True)
    assert [word.word for word in first.words] == ["where", "is", "my", "mortgage", "?"]


def test_a_weight_is_the_fall_of_the_log_odds_without_the_word(spoken: Model) -> None:
    (explanation,) = headstart.explain(spoken.predictor, ["where is my mortgage"])
    whole, without = spoken.predictor.predict(["where is my mortgage", "where is my"]).probabilities[:, 1]
    odds = [float(np.log(p / (1 - p))) for p in (whole, without)]
    assert explanation.words[-1].weight == pytest.approx(odds[0] - odds[1], rel=0.02)
    assert explanation.words[-1].without == pytest.approx(without, abs=1e-5)


def test_words_of_tf_idf_are_explained_too() -> None:
    items, labels = zip(*coded(), strict=True)
    model = headstart.train(list(items), list(labels), options=headstart.Options(folds=3, repeats=1))
    (explanation,) = headstart.explain(model.predictor, ["silver river stone third garden paper bridge"])
    assert explanation.carried(1)[0].word == "third"


def test_empty_texts_and_single_words_have_no_words(spoken: Model) -> None:
    empty, single = headstart.explain(spoken.predictor, [" ", "mortgage"])
    assert (empty.label, carried_words(empty)) == (None, "")
    assert (single.words, carried_words(single)) == ((), "(a single word)")
    assert word_line(single).endswith("it is a single word")


def test_a_long_text_is_cut_into_runs_of_words_which_are_never_shown_whole(spoken: Model) -> None:
    (explanation,) = headstart.explain(spoken.predictor, ["tell me of the mortgage again " * 100])
    assert len(explanation.words) == PIECES
    assert all(len(word.word.split()) in (9, 10) for word in explanation.words)
    shown = Explanation("text 0", "loan", 0.9, (WordWeight("a very long run of words that is cut", 1.0, 0.6),))
    assert carried_words(shown) == "a very long run of word…"


def test_the_command_says_the_words_beside_the_class(saved: Path) -> None:
    done = run("predict", saved, "where is my mortgage?", "how much is the hotel room", "--explain")
    header, first, *_ = done.stdout.splitlines()
    assert header.split("\t")[:5] == ["text", "class", "confidence", "second choice", "because of"]
    assert first.split("\t")[4].startswith("mortgage")
    assert "because of 'mortgage' (without it " in done.stdout
    (record,) = json.loads(run("predict", saved, "where is my mortgage?", "--explain", "--json").stdout)
    assert record["words"][3]["word"] == "mortgage"


def test_a_model_of_images_has_no_words(saved_model: Path) -> None:
    with pytest.raises(OptionError, match="this one is of images"):
        headstart.explain(saved_model, ["a text"])
    assert "--explain is about texts" in run("predict", saved_model, saved_model, "--explain").stderr
