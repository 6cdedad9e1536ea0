"""TransferClassifier keeps scikit-learn's contract on pictures."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from headstart import TransferClassifier
from headstart.errors import DataError

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
