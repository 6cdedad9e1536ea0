"""TF-IDF with a linear model: out of fold, saved, and predicted without scikit-learn."""

import numpy as np
import pytest

from headstart.backbones.words import words_backbone
from headstart.device import choose_device
from headstart.embed.extract import embed
from headstart.errors import BundleError
from headstart.pipeline.words import WordsModel
from headstart.storage.arrays import dump_arrays, load_arrays

TEXTS = [f"{word} the {thing} number {i}" for i in range(12) for word, thing in (("pay", "bill"), ("send", "card"))]
LABELS = np.tile([0, 1], 12)
FOLDS = np.stack([np.arange(24) // 2 % 4, (np.arange(24) + 2) // 2 % 3])


def test_words_that_tell_the_classes_apart_are_learnt_out_of_fold() -> None:
    scores = WordsModel(TEXTS, 2).scores(LABELS, FOLDS)
    assert scores.shape == (2, 24, 2)
    assert (scores.argmax(axis=2) == LABELS).all()


def test_what_is_saved_scores_as_what_was_fitted() -> None:
    model = WordsModel(TEXTS, 2)
    words = model.fit(LABELS)
    backbone = words_backbone(words.to_bytes())
    table = embed(["please pay the bill", "send a card"], backbone, device=choose_device("cpu"))  # type: ignore[arg-type]
    assert table.last.argmax(axis=1).tolist() == [0, 1]
    assert backbone.files() == {"words.safetensors": words.to_bytes()}


def test_a_fold_does_not_see_the_words_of_its_own_texts() -> None:
    texts = [*TEXTS[:-1], "zebra " * 3]
    changed = WordsModel([*TEXTS[:-1], "quagga " * 3], 2).scores(LABELS, FOLDS[:1])
    scores = WordsModel(texts, 2).scores(LABELS, FOLDS[:1])
    others = FOLDS[0] == FOLDS[0][-1]
    others[-1] = False
    np.testing.assert_allclose(scores[0, others], changed[0, others], atol=1e-5)


def test_damaged_words_are_refused() -> None:
    content = WordsModel(TEXTS, 2).fit(LABELS).to_bytes()
    arrays = load_arrays("words", content)
    with pytest.raises(BundleError, match="weighed words"):
        words_backbone(dump_arrays({**arrays, "idf": arrays["idf"][:-1]}))
    twice = np.frombuffer(b"a\na", np.uint8)
    small = {"idf": arrays["idf"][:2], "coefficients": arrays["coefficients"][:2], "intercept": arrays["intercept"]}
    with pytest.raises(BundleError, match="their terms do not fit"):
        words_backbone(dump_arrays({"terms": twice, **small}))
