"""TransferClassifier keeps scikit-learn's contract on pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

import headstart
from headstart import TransferClassifier
from headstart.errors import DataError, OptionError

QUICK = TransferClassifier(backbones=("efficientnet_lite0",), heads=("ridge",), repeats=1)


@pytest.fixture(scope="module")
def pictures(cell_files: dict[str, list[Path]]) -> tuple[list[Path], np.ndarray]:
    paths = [path for files in cell_files.values() for path in files]
    return paths, np.repeat([10, 2], [len(files) for files in cell_files.values()])


def test_labels_come_back_as_they_were_given(pictures: tuple[list[Path], np.ndarray]) -> None:
    X, y = pictures
    model = clone(QUICK).fit(X, y)
    assert model.classes_.tolist() == [2, 10]
    assert model.predict(X[:3]).dtype == y.dtype
    assert model.predict_proba(X[:3]).shape == (3, 2)
    assert model.score(X, y) > 0.7
    assert 0 < model.estimate_.value < 1


def test_it_works_in_a_pipeline_and_in_cross_validation(pictures: tuple[list[Path], np.ndarray]) -> None:
    X, y = pictures
    scores = cross_val_score(make_pipeline(clone(QUICK)), X, y, cv=2)
    assert scores.shape == (2,)
    assert (scores > 0.5).all()


def test_an_unfitted_one_says_so() -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        clone(QUICK).predict([Path("x.png")])


def test_labels_that_do_not_match_are_refused(pictures: tuple[list[Path], np.ndarray]) -> None:
    X, y = pictures
    with pytest.raises(DataError, match=r"one label an image; found 50 images and labels of the shape \(49,\)"):
        clone(QUICK).fit(X, y[:-1])


@pytest.mark.parametrize("missing", [None, float("nan"), ""])
def test_a_missing_label_is_refused_before_any_work(missing: object) -> None:
    with pytest.raises(DataError, match=r"the label of image 1 is (missing|empty)"):
        clone(QUICK).fit([Path("x.png")] * 3, ["a", missing, "b"])


def test_an_unreadable_picture_is_named_at_prediction(pictures: tuple[list[Path], np.ndarray], tmp_path: Path) -> None:
    X, y = pictures
    (tmp_path / "broken.png").write_bytes(b"no picture")
    model = clone(QUICK).fit(X, y)
    with pytest.raises(DataError, match=r"1 of 2 images cannot be read, the first being .*broken\.png"):
        model.predict([X[0], tmp_path / "broken.png"])


def test_a_saved_model_has_the_labels_that_were_given(pictures: tuple[list[Path], np.ndarray], tmp_path: Path) -> None:
    X, y = pictures
    names = np.where(y == 10, "Rust", "Gray_Leaf_Spot")
    model = clone(QUICK).fit(X, names)
    assert model.classes_.tolist() == ["Gray_Leaf_Spot", "Rust"]
    model.result_.save(tmp_path / "m")
    assert headstart.load(tmp_path / "m").classes == ("Gray_Leaf_Spot", "Rust")
    assert set(headstart.load(tmp_path / "m").predict(X[:4]).labels) <= {"Gray_Leaf_Spot", "Rust"}
    assert "Gray_Leaf_Spot" in model.result_.summary(details=True)


def test_numbers_are_saved_as_they_print_and_their_columns_stay_in_order(
    pictures: tuple[list[Path], np.ndarray],
) -> None:
    X, y = pictures
    model = clone(QUICK).fit(X, y)
    assert model.predictor_.classes == ("10", "2")
    assert model.classes_.tolist() == [2, 10]
    labels = model.predictor_.predict(X[:6]).labels
    assert [str(label) for label in model.predict(X[:6]).tolist()] == list(labels)


def test_a_missing_label_is_named_by_its_row(pictures: tuple[list[Path], np.ndarray]) -> None:
    X, y = pictures
    labels = ["a" if label == 10 else "b" for label in y]
    with pytest.raises(DataError, match="the label of image 3 is missing"):
        clone(QUICK).fit(X, [*labels[:3], None, *labels[4:]])


def test_a_generator_is_read_and_a_column_of_labels_is_one(pictures: tuple[list[Path], np.ndarray]) -> None:
    X, y = pictures
    model = clone(QUICK).fit((str(path) for path in X), y[:, None])
    assert model.predict(path for path in X[:5]).shape == (5,)


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        ("a.png", r"found the single path 'a\.png': write \['a\.png'\]"),
        (Path("a.png"), r"found the single path 'a\.png': write \['a\.png'\]"),
        (np.zeros((96, 96, 3), np.uint8), r"found one array of shape \(96, 96, 3\): write \[image\]"),
        (np.zeros((96, 90), np.uint8), r"found one array of shape \(96, 90\): write \[image\]"),
        (Image.new("RGB", (9, 9)), r"found a single PIL image: write \[image\]"),
        (7, "found a int"),
    ],
)
def test_one_image_is_not_taken_for_many(one: Any, sentence: str, pictures: tuple[list[Path], np.ndarray]) -> None:
    predictor = fitted(pictures).predictor_
    for act in (fitted(pictures).predict, predictor.predict, predictor.decide):
        with pytest.raises(OptionError, match=f"^images must be a list.*{sentence}"):
            act(one)


def test_a_batch_in_one_array_is_many_images(pictures: tuple[list[Path], np.ndarray]) -> None:
    predictor = fitted(pictures).predictor_
    assert len(predictor.predict(np.zeros((2, 32, 32, 3), np.uint8))) == 2


_FITTED: list[TransferClassifier] = []


def fitted(pictures: tuple[list[Path], np.ndarray]) -> TransferClassifier:
    if not _FITTED:
        _FITTED.append(clone(QUICK).set_params(max_error=0.2).fit(*pictures))
    return _FITTED[0]
