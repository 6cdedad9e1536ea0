"""Kept scores are the same scores, and trouble with the folder never stops the work."""

from pathlib import Path

import numpy as np
import pytest

from headstart import fingerprint
from headstart.choose.score_cache import CachedStrategy
from headstart.data.splits import assign_folds
from headstart.heads.catalog import make_head

X = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)
FOLDS = assign_folds(Y, count=4)


def cached_head(folder: Path, name: str = "ridge", rows: np.ndarray = X) -> CachedStrategy:
    return CachedStrategy(make_head(name), fingerprint.hash_array(rows), folder)


def test_what_is_read_back_is_what_was_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cached_head(tmp_path).path_scores(X, Y, FOLDS)
    second_run = cached_head(tmp_path)
    monkeypatch.setattr(type(second_run.head), "path_scores", None)
    second = second_run.path_scores(X, Y, FOLDS)
    np.testing.assert_array_equal(first.scores, second.scores)
    assert list(first.configurations) == list(second.configurations)


def test_other_rows_labels_folds_or_heads_are_not_mistaken_for_it(tmp_path: Path) -> None:
    cached_head(tmp_path).path_scores(X, Y, FOLDS)
    cached_head(tmp_path, rows=X + 1).path_scores(X + 1, Y, FOLDS)
    cached_head(tmp_path).path_scores(X, 1 - Y, FOLDS)
    cached_head(tmp_path).path_scores(X, Y, assign_folds(Y, count=4, seed=1))
    cached_head(tmp_path, "class-mean").path_scores(X, Y, FOLDS)
    assert len(list(tmp_path.glob("*.blob"))) == 5


def test_a_damaged_file_is_computed_again(tmp_path: Path) -> None:
    first = cached_head(tmp_path).path_scores(X, Y, FOLDS)
    (path,) = tmp_path.glob("*.blob")
    whole = path.read_bytes()
    for damaged in (whole[:50], whole[:-4] + b"\0\0\x80?"):
        path.write_bytes(damaged)
        np.testing.assert_array_equal(cached_head(tmp_path).path_scores(X, Y, FOLDS).scores, first.scores)
    np.testing.assert_array_equal(cached_head(tmp_path).path_scores(X, Y, FOLDS).scores, first.scores)


def test_a_folder_that_cannot_be_written_to_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert cached_head(tmp_path / "file" / "scores").path_scores(X, Y, FOLDS).scores.shape[1:] == (1, 40, 2)
