"""Kept scores are the same scores, and trouble with the folder never stops the work."""

import os
from pathlib import Path

import numpy as np
import pytest

from headstart import fingerprint
from headstart.choose import score_cache
from headstart.choose.score_cache import CachedStrategy
from headstart.data.splits import assign_folds
from headstart.heads.catalog import make_head

X = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
FOLDS = assign_folds(Y, count=4)


def remembered(folder: Path, name: str = "ridge", rows: np.ndarray = X) -> CachedStrategy:
    return CachedStrategy(make_head(name), fingerprint.hash_array(rows), folder)


def test_what_is_read_back_is_what_was_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = remembered(tmp_path).path_scores(X, Y, FOLDS)
    again = remembered(tmp_path)
    monkeypatch.setattr(type(again.head), "path_scores", None)
    second = again.path_scores(X, Y, FOLDS)
    np.testing.assert_array_equal(first.scores, second.scores)
    assert list(first.configurations) == list(second.configurations)


def test_other_rows_labels_folds_or_heads_are_not_mistaken_for_it(tmp_path: Path) -> None:
    remembered(tmp_path).path_scores(X, Y, FOLDS)
    remembered(tmp_path, rows=X + 1).path_scores(X + 1, Y, FOLDS)
    remembered(tmp_path).path_scores(X, 1 - Y, FOLDS)
    remembered(tmp_path).path_scores(X, Y, assign_folds(Y, count=4, seed=1))
    remembered(tmp_path, "class-mean").path_scores(X, Y, FOLDS)
    assert len(list(tmp_path.glob("*.safetensors"))) == 5


def test_a_damaged_file_is_computed_again(tmp_path: Path) -> None:
    first = remembered(tmp_path).path_scores(X, Y, FOLDS)
    (kept,) = tmp_path.glob("*.safetensors")
    whole = kept.read_bytes()
    for damaged in (whole[:50], whole[:-4] + b"\0\0\x80?"):
        kept.write_bytes(damaged)
        np.testing.assert_array_equal(remembered(tmp_path).path_scores(X, Y, FOLDS).scores, first.scores)
    np.testing.assert_array_equal(remembered(tmp_path).path_scores(X, Y, FOLDS).scores, first.scores)


def test_a_folder_that_cannot_be_written_to_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert remembered(tmp_path / "file" / "scores").path_scores(X, Y, FOLDS).scores.shape[1:] == (1, 40, 2)


def test_the_least_recently_used_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, age in (("old", 10), ("new", 20)):
        (tmp_path / f"{name}.safetensors").write_bytes(b"0" * 100)
        os.utime(tmp_path / f"{name}.safetensors", (age, age))
    monkeypatch.setattr(score_cache, "LIMIT", 150)
    score_cache._trim(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["new.safetensors"]
