"""Novelty as a whole: it is learned, kept, read back and keeps its rate; the predictor's part needs numpy alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from headstart.errors import BundleError, DataError, OptionError
from headstart.trust.held_out_classes import leave_one_class_out, out_of_fold
from headstart.trust.mahalanobis import fit_mahalanobis
from headstart.trust.nearest import fit_nearest
from headstart.trust.novelty import Novelty, from_arrays
from headstart.trust.novelty_fit import FITS, fit_novelty

KINDS = ["mahalanobis", "nearest", "both"]


def blobs(n: int = 120, d: int = 16, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes along their own directions."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return (random.normal(size=(n, d)) + 6 * np.eye(d)[y]).astype(np.float32), y


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_through_a_file_give_the_same_scores_bit_for_bit(kind: str, tmp_path: Path) -> None:
    X, y = blobs()
    novelty = fit_novelty(X, y, kind=kind).novelty
    save_file(novelty.to_arrays(), tmp_path / "novelty.safetensors")
    again = from_arrays(kind, load_file(tmp_path / "novelty.safetensors"))
    assert again.threshold == novelty.threshold
    assert again.rate == 0.05
    assert np.array_equal(again.score(X), novelty.score(X))
    for name, array in novelty.to_arrays().items():
        assert np.array_equal(again.to_arrays()[name], array)
        assert again.to_arrays()[name].dtype == array.dtype


def test_an_unknown_class_is_found_and_known_images_seldom_flagged() -> None:
    X, y = blobs(400)
    known, novelty = y < 3, None
    train = known & (np.arange(400) < 300)
    novelty = fit_novelty(X[train], y[train]).novelty
    assert novelty.is_novel(X[y == 3]).mean() > 0.9
    assert novelty.is_novel(X[known & ~train]).mean() < 0.15


@pytest.mark.parametrize("kind", KINDS)
def test_the_false_alarm_rate_is_kept_on_new_rows_of_the_same_source(kind: str) -> None:
    X, y = blobs(20 * 140, seed=3)
    rates = []
    for part in range(20):
        rows = slice(part * 140, part * 140 + 80)
        novelty = fit_novelty(X[rows], y[rows], kind=kind, rate=0.1).novelty
        rates.append(novelty.is_novel(X[rows.stop : rows.stop + 60]).mean())
    assert 0.04 <= np.mean(rates) <= 0.13


def test_the_sum_is_taken_unless_one_score_is_clearly_better() -> None:
    X, y = blobs()
    assert fit_novelty(X, y).novelty.kind == "both"
    # An unknown class that differs by its length alone is unlike nothing in direction, and the reverse for single rows:
    random = np.random.default_rng(0)
    stretched = (
        random.normal(size=(150, 12)) * np.r_[25, np.ones(11)] + 5 * np.eye(12)[1 + y[: 150 - 30].repeat(2)[:150]]
    )
    found = fit_novelty(stretched.astype(np.float32), y[:120].repeat(2)[:150])
    assert found.novelty.kind == "mahalanobis"
    assert found.auroc["mahalanobis"] > found.auroc["nearest"] + 0.05


def test_what_was_measured_is_said() -> None:
    X, y = blobs()
    found = fit_novelty(X, y)
    first, second = found.sentences()
    assert first.startswith(
        "Novelty: 4 classes left out in turn, and the images of that class ranked above known ones:"
    )
    assert "too near each other to choose between, so their sum is used" in first
    assert second.startswith("About 5.0 % of known images are flagged as novel by mistake")
    facts = found.to_dict()
    assert facts["kind"] == "both"
    assert facts["classes_left_out"] == 4
    assert facts["false_alarms"]["asked"] == 0.05


def test_one_class_alone_gets_a_score_and_no_comparison() -> None:
    X, _ = blobs()
    found = fit_novelty(X, np.zeros(len(X), np.int64))
    assert (found.auroc, found.left_out, found.novelty.kind) == ({}, 0, "both")
    assert len(found.sentences()) == 1


def test_classes_of_one_image_and_two_images_in_all_work() -> None:
    X, y = blobs(41, classes=2)
    y[-1] = 7
    assert np.isfinite(fit_novelty(X, y).novelty.score(X)).all()
    found = fit_novelty(X[:2], np.array([0, 1]))
    assert not found.threshold.kept
    assert "At least 19 are needed." in found.sentences()[-1]


def test_groups_are_kept_together_and_raise_the_threshold() -> None:
    X, y = blobs(60)
    copies = np.concatenate([X, X, X])
    groups = np.tile(np.arange(60), 3)
    labels = np.tile(y, 3)
    leaking = fit_novelty(copies, labels, kind="nearest")
    honest = fit_novelty(copies, labels, kind="nearest", groups=groups)
    assert leaking.threshold.value < 0.1 < honest.threshold.value
    assert honest.threshold.rows == 60


def test_known_rows_are_scored_out_of_fold_and_the_left_out_class_never_trains() -> None:
    X, y = blobs(30)
    folds = np.arange(30) // 6
    seen = []

    def fit(rows: np.ndarray, labels: np.ndarray):
        seen.append((rows, set(labels.tolist())))
        return fit_nearest(rows, labels)

    leave_one_class_out({"nearest": fit}, X, y, folds)
    assert [len(labels) for _, labels in seen] == [3] * 20
    seen.clear()
    out_of_fold(fit, X, y, folds)
    for fold, (rows, _) in enumerate(seen):
        assert np.array_equal(rows, X[folds != fold])


def test_left_out_classes_are_ranked_as_a_direct_computation_does() -> None:
    X, y = blobs(24, classes=2)
    folds = np.arange(24) // 12
    found = leave_one_class_out({"m": fit_mahalanobis}, X, y, folds)
    scores = np.empty(24)
    for fold in (0, 1):
        trained = (folds != fold) & (y == 0)
        scores[folds == fold] = fit_mahalanobis(X[trained], y[trained]).score(X[folds == fold])
    pairs = scores[y == 1][:, None] > scores[y == 0]
    assert found.auroc["m"][1] == pytest.approx(pairs.mean())
    assert found.classes.tolist() == [0, 1]
    assert set(FITS) == {"mahalanobis", "nearest"}


@pytest.mark.parametrize(
    ("X", "labels", "message"),
    [
        (np.zeros((3, 2)), [0, 1], "labels must be one whole number a row, 3 of them"),
        (np.zeros((3, 2)), [0, -1, 1], "some of these have no label"),
        (np.zeros((1, 2)), [0], "at least 2 training images; found 1"),
        (np.full((3, 2), np.nan), [0, 1, 1], "training embeddings must be finite numbers"),
        (np.zeros(3), [0, 1, 1], r"of shape \(n, d\); found the shape \(3,\)"),
    ],
)
def test_rows_that_cannot_be_used_are_refused(X: np.ndarray, labels: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit_novelty(X, np.array(labels))


def test_a_misspelt_kind_and_one_fold_are_refused() -> None:
    X, y = blobs()
    with pytest.raises(OptionError, match="Did you mean 'nearest'"):
        fit_novelty(X, y, kind="neares")
    with pytest.raises(DataError, match="rows in at least two folds"):
        fit_novelty(X, y, folds=np.zeros(len(X), np.int64))


def test_embeddings_of_another_width_or_not_finite_are_refused() -> None:
    X, y = blobs()
    novelty = fit_novelty(X, y).novelty
    with pytest.raises(DataError, match="must be 16 numbers wide, like those this was learned on; found 15"):
        novelty.score(X[:, :-1])
    with pytest.raises(DataError, match="must be finite numbers"):
        novelty.score(np.full((1, 16), np.inf))
    assert novelty.score(X[:0]).shape == (0,)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_arrays_are_refused(kind: str) -> None:
    arrays = fit_novelty(*blobs(), kind=kind).novelty.to_arrays()
    part = "axes" if kind == "mahalanobis" else "stored"
    wrong = [
        ({k: v for k, v in arrays.items() if k != part}, "it must hold"),
        ({**arrays, part: arrays[part].astype(np.float64)}, f"its array '{part}' does not hold float16"),
        ({**arrays, part: arrays[part][:, :, None]}, "has 3 axes where 2 were expected"),
        ({**arrays, part: np.full_like(arrays[part], np.nan)}, "holds numbers that are not finite"),
        ({**arrays, part: arrays[part][:0]}, "has an axis of length 0"),
        ({**arrays, "rate": np.array(1.0)}, "its threshold or its rate is out of range"),
        ({**arrays, "threshold": np.array(np.nan)}, "holds numbers that are not finite"),
    ]
    if kind != "nearest":
        wrong.append(({**arrays, "level": np.array(0, np.float32)}, "its variances are not above 0"))
        wrong.append(({**arrays, "discount": arrays["discount"] * 0 + 1}, "its variances are not finite"))
        wrong.append(({**arrays, "centre": arrays["centre"][:-1]}, "has an axis of length"))
    if kind != "mahalanobis":
        wrong.append(({**arrays, "k": np.array(121)}, "asks for neighbour 121 of 120"))
    if kind == "both":
        wrong.append(({**arrays, "spreads": np.zeros(2, np.float32)}, "its spreads are not two numbers above 0"))
    for each, message in wrong:
        with pytest.raises(BundleError, match=message):
            from_arrays(kind, each)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(
        BundleError, match="of the kind 'cosine', and this version knows 'mahalanobis', 'nearest', 'both'"
    ):
        from_arrays("cosine", {})


def test_scoring_in_a_fresh_process_loads_numpy_alone(tmp_path: Path) -> None:
    X, y = blobs()
    found: Novelty = fit_novelty(X, y, kind="both").novelty
    save_file({**found.to_arrays(), "X": X}, tmp_path / "novelty.safetensors")
    code = (
        "import sys\nfrom safetensors.numpy import load_file\nfrom headstart.trust.novelty import from_arrays\n"
        f"arrays = load_file({str(tmp_path / 'novelty.safetensors')!r})\nX = arrays.pop('X')\n"
        "novelty = from_arrays('both', arrays)\nprint(novelty.score(X).tobytes().hex(), novelty.is_novel(X).sum())\n"
        "print(sorted({'torch', 'timm', 'sklearn', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    said, loaded = done.stdout.splitlines()
    assert said == f"{found.score(X).tobytes().hex()} {found.is_novel(X).sum()}"
    assert loaded == "[]"
