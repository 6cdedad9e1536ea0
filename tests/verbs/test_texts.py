"""Texts all the way: from a table to a saved model, predictions, an evaluation and what is said of them."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import headstart as run

import headstart
from headstart import runtime
from headstart.embed import networks
from headstart.model.model import Model

SUBJECTS = {
    "card": ("my card", "the new card", "a lost card", "this debit card"),
    "loan": ("my loan", "the interest of the loan", "a new mortgage", "this credit"),
    "travel": ("my flight", "the train to Bergen", "a hotel room", "this journey"),
}
FORMS = ("where is {}?", "I have a question about {}", "please cancel {}", "how much is {} now", "tell me of {} again")


def texts() -> Iterator[tuple[str, str]]:
    for label, things in SUBJECTS.items():
        yield from ((form.format(thing), label) for thing in things for form in FORMS)


def coded() -> Iterator[tuple[str, str]]:
    """Texts that only a word tells apart, among many others drawn at random."""
    words = ["river", "stone", "window", "garden", "paper", "silver", "morning", "bridge", "candle", "forest", "table"]
    random = np.random.default_rng(0)
    for i in range(40):
        label = ("third", "fourth")[i % 2]
        yield " ".join([*random.choice(words, 60), label, *random.choice(words, 60)]), label


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "questions.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "intent"), *texts()])
    return path


@pytest.fixture(scope="module")
def model(table: Path) -> Model:
    return headstart.train(table, options=headstart.Options(folds=3, repeats=1))


@pytest.fixture(scope="module")
def saved(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("model") / "model"
    model.save(place)
    return place


def test_layers_words_and_their_ensemble_are_compared(model: Model) -> None:
    names = [line.name for line in model.race.lines]
    assert names.count("lda") == 2
    assert "tf-idf + logistic regression" in names
    assert names[-1] == "ensemble"
    assert model.estimate.value > 0.9
    assert model.trust is not None
    assert model.trust.novelty is not None


def test_it_says_texts_and_not_images(model: Model, saved: Path, table: Path) -> None:
    assert "new texts like these" in model.summary()
    assert "image" not in model.summary(details=True)
    shown = run("info", saved, "--details")
    assert "60 texts of 3 classes" in shown.stdout
    assert "image" not in shown.stdout


def test_a_saved_model_predicts_the_same_from_lists_tables_and_the_command_line(
    model: Model, saved: Path, table: Path
) -> None:
    some = ["where is my card?", "please cancel the train to Bergen", ""]
    fresh, loaded = model.predictor.predict(some), headstart.load(saved).predict(some)
    np.testing.assert_array_equal(fresh.probabilities, loaded.probabilities)
    assert loaded.labels == ("card", "travel", None)
    assert loaded.failures[0].reason == "it is empty"
    assert headstart.predict(saved, table).labels == tuple(label for _, label in texts())
    printed = run("predict", saved, "tell me of my loan again")
    assert "text 0\tloan" in printed.stdout
    assert printed.stdout.startswith("text\tclass\tconfidence")


def test_an_evaluation_scores_texts(saved: Path, tmp_path: Path) -> None:
    new = [
        ("is the card on its way", "card"),
        ("a room near the harbour", "travel"),
        ("what does the loan cost", "loan"),
    ]
    evaluation = headstart.evaluate(saved, [text for text, _ in new], [label for _, label in new])
    assert evaluation.images == 3
    assert evaluation.card.accuracy.value >= 2 / 3


def test_where_a_word_decides_weighed_words_are_saved_and_predict(tmp_path: Path) -> None:
    items, labels = zip(*coded(), strict=True)
    trained = headstart.train(list(items), list(labels), options=headstart.Options(folds=3, repeats=1))
    assert any(part.backbone.name == "words" for part in trained.predictor.parts)
    assert trained.predictor.parts[0].backbone.name == "minilm_l6"
    trained.save(tmp_path / "model")
    assert (tmp_path / "model" / "words.safetensors").stat().st_size < 1 << 20
    probe = ["silver third river " * 8, "candle fourth table " * 8]
    loaded = headstart.load(tmp_path / "model").predict(probe)
    np.testing.assert_array_equal(loaded.probabilities, trained.predictor.predict(probe).probabilities)
    assert loaded.labels == ("third", "fourth")


def test_fine_tunes_are_refused_before_any_work(table: Path) -> None:
    with pytest.raises(headstart.errors.OptionError, match="texts are compared with frozen encoders"):
        headstart.train(table, strategies="last-1")


def test_named_heads_are_compared_and_no_others(table: Path) -> None:
    trained = headstart.train(table, heads="ridge", options=None, folds=3, repeats=1)
    assert {line.name for line in trained.race.lines} == {"ridge"}


def test_rule_tables_are_not_asked_about_texts(table: Path) -> None:
    done = run("advise", table)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "the rule tables of transfer learning are about pictures: for texts 'headstart train' measures." in done.stderr
    )


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_the_runtime_answers_texts(
    saved: Path, engine: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "installed", lambda name: name == engine)
    assert runtime.main([str(saved), "tell me of my loan again"]) == 0
    assert json.loads(capsys.readouterr().out)["class"] == "loan"
    assert runtime.main([str(saved), "--self-test"]) == 0
    assert json.loads(capsys.readouterr().out)["engine"] == engine
