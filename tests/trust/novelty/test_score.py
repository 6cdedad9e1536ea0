"""Novelty as a whole: it is learned, kept, read back and keeps its rate; the predictor's part needs numpy alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from headstart.errors import BundleError, DataError
from headstart.metrics.auroc import auroc
from headstart.trust.novelty.fit import fit_novelty
from headstart.trust.novelty.leave_class_out import leave_one_class_out, out_of_fold
from headstart.trust.novelty.mahalanobis import fit_mahalanobis
from headstart.trust.novelty.score import Novelty, novelty_from_arrays


def blobs(n: int = 120, d: int = 16, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes along their own directions."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return (random.normal(size=(n, d)) + 6 * np.eye(d)[y]).astype(np.float32), y


def two_layers() -> Novelty:
    """A score on layers of 6 and 10 numbers."""
    X, y = blobs()
    return fit_novelty(X, y, widths=[6, 10]).novelty


def distance_scores(rows: np.ndarray, labels: np.ndarray):
    """A way of scoring that is quick to fit."""
    form = fit_mahalanobis(rows, labels)
    return lambda others: form.distance_and_direction(others)[:, 0]


def test_arrays_through_a_file_give_the_same_scores_bit_for_bit(tmp_path: Path) -> None:
    X, _ = blobs()
    novelty = two_layers()
    assert novelty.kind == "layers"
    save_file(novelty.to_arrays(), tmp_path / "novelty.safetensors")
    again = novelty_from_arrays("layers", load_file(tmp_path / "novelty.safetensors"))
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


@pytest.mark.parametrize("widths", [[16], [4, 12]])
def test_the_false_alarm_rate_is_kept_on_new_rows_of_the_same_source(widths: list[int]) -> None:
    X, y = blobs(20 * 140, seed=3)
    rates = []
    for part in range(20):
        rows = slice(part * 140, part * 140 + 80)
        novelty = fit_novelty(X[rows], y[rows], widths=widths, rate=0.1).novelty
        rates.append(novelty.is_novel(X[rows.stop : rows.stop + 60]).mean())
    assert 0.04 <= np.mean(rates) <= 0.13


def test_a_row_in_a_direction_of_no_class_is_found_and_so_is_one_too_far_in_a_known_one() -> None:
    X, y = blobs(300, classes=2)
    found = fit_novelty(X, y).novelty
    elsewhere = np.zeros((1, 16), np.float32)
    elsewhere[0, 9] = 6
    assert found.is_novel(elsewhere)[0]
    distance, direction = found.form.layers[0].distance_and_direction(np.concatenate([elsewhere, X[:1]])).T
    assert direction[0] > 0.8 > 0.3 > direction[1]
    assert distance[0] > distance[1]


def test_every_layer_is_looked_at() -> None:
    random = np.random.default_rng(0)
    X, y = blobs(300)
    both = np.concatenate([X, blobs(300, seed=1)[0][:, ::-1]], axis=1)
    found = fit_novelty(both, y, widths=[16, 16]).novelty
    strange = both[:40].copy()
    for columns in (slice(0, 16), slice(16, 32)):
        other = strange.copy()
        other[:, columns] = random.normal(size=(40, 16)) * 3
        assert found.is_novel(other).mean() > 0.9
    assert found.is_novel(strange).mean() < 0.1


def test_what_was_measured_is_said() -> None:
    X, y = blobs()
    found = fit_novelty(X, y)
    first, second = found.sentences()
    assert first.startswith(
        "Novelty: 4 classes left out in turn, and the images of that class ranked above known ones:"
    )
    assert first.endswith("(0.5 is guessing, 1 perfect).")
    assert second.startswith("About 5.0 % of known images are flagged as novel by mistake")
    facts = found.to_dict()
    assert facts["kind"] == "layers"
    assert facts["auroc"] == {"layers": found.mean_auroc}
    assert found.mean_auroc == pytest.approx(np.mean([found.auroc[k] for k in range(4)]))
    assert found.mean_auroc > 0.9
    assert facts["classes_left_out"] == 4
    assert facts["false_alarms"]["asked"] == 0.05


def test_one_class_alone_gets_a_score_and_no_comparison() -> None:
    X, _ = blobs()
    found = fit_novelty(X, np.zeros(len(X), np.int64))
    assert (found.auroc, found.mean_auroc, found.to_dict()["auroc"]) == ({}, None, {})
    assert len(found.sentences()) == 1


def test_classes_of_one_image_and_two_images_in_all_work() -> None:
    X, y = blobs(41, classes=2)
    y[-1] = 7
    assert np.isfinite(fit_novelty(X, y).novelty.score(X)).all()
    found = fit_novelty(X[:2], np.array([0, 1]))
    assert not found.threshold.feasible
    assert "At least 19 are needed." in found.sentences()[-1]


def test_groups_are_kept_together_and_raise_the_threshold() -> None:
    X, y = blobs(60)
    copies = np.concatenate([X, X, X])
    groups = np.tile(np.arange(60), 3)
    labels = np.tile(y, 3)
    leaking = fit_novelty(copies, labels)
    honest = fit_novelty(copies, labels, groups=groups)
    new = blobs(4000, seed=5)[0]
    assert leaking.novelty.is_novel(new).mean() > 0.15
    assert honest.novelty.is_novel(new).mean() < 0.09
    assert (leaking.threshold.rows, honest.threshold.rows) == (180, 60)


def test_known_rows_are_scored_out_of_fold_and_the_left_out_class_never_trains() -> None:
    X, y = blobs(30)
    folds = np.arange(30) // 6
    seen = []

    def fit(rows: np.ndarray, labels: np.ndarray):
        seen.append((rows, set(labels.tolist())))
        return distance_scores(rows, labels)

    leave_one_class_out(fit, X, y, folds)
    assert [len(labels) for _, labels in seen] == [3] * 8  # four classes, each with two of five folds
    assert [({0, 1, 2, 3} - labels).pop() for _, labels in seen] == [0, 0, 1, 1, 2, 2, 3, 3]
    seen.clear()
    out_of_fold(fit, X, y, folds)
    for fold, (rows, _) in enumerate(seen):
        assert np.array_equal(rows, X[folds != fold])


@pytest.mark.parametrize(("classes", "fits"), [(2, 10), (4, 8), (10, 10), (12, 10)])
def test_about_ten_fits_are_made_however_many_classes_there_are(classes: int, fits: int) -> None:
    X, y = blobs(240, classes=classes)
    done = []

    def fit(rows: np.ndarray, labels: np.ndarray):
        done.append(labels)
        return distance_scores(rows, labels)

    found = leave_one_class_out(fit, X, y, np.arange(240) // classes % 5)
    assert len(done) == fits
    assert len(found) == min(classes, 10)


def test_left_out_classes_are_ranked_as_a_direct_computation_does() -> None:
    X, y = blobs(24, classes=2)
    folds = np.arange(24) // 12
    found = leave_one_class_out(distance_scores, X, y, folds)
    wanted = []
    for fold in (0, 1):
        score = distance_scores(X[(folds != fold) & (y == 0)], y[(folds != fold) & (y == 0)])
        wanted.append(auroc(score(X[(folds == fold) & (y == 0)]), score(X[y == 1])))
    assert found[1] == pytest.approx(np.mean(wanted))
    assert list(found) == [0, 1]


def test_a_class_with_no_known_row_beside_it_in_a_fold_is_passed_over() -> None:
    X, y = blobs(40, classes=2)
    found = leave_one_class_out(distance_scores, X, y, y)
    assert found == {}


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


def test_one_fold_and_widths_that_do_not_add_up_are_refused() -> None:
    X, y = blobs()
    for widths in ([10, 5], [], [16, 0], [17, -1]):
        with pytest.raises(DataError, match="the layers' widths must add up to the 16 numbers of a row; found"):
            fit_novelty(X, y, widths=widths)
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


def test_damaged_arrays_are_refused() -> None:
    arrays = two_layers().to_arrays()
    part = "layer1.axes"
    wrong = [
        ({k: v for k, v in arrays.items() if k != part}, "it must hold"),
        ({k: v for k, v in arrays.items() if k != "rate"}, "it must hold rate, threshold, and holds threshold"),
        ({**arrays, part: arrays[part].astype(np.float64)}, "the array 'axes' holds float64 numbers, not float16"),
        ({**arrays, part: arrays[part][:, :, None]}, "has 3 axes where 2 were expected"),
        ({**arrays, part: np.full_like(arrays[part], np.nan)}, "holds numbers that are not finite"),
        ({**arrays, part: arrays[part][:0]}, "has an axis of length 0"),
        ({**arrays, "layer1.more": arrays[part]}, "it must hold"),
        ({**arrays, "rate": np.array(1.0)}, "its threshold or its rate is out of range"),
        ({**arrays, "threshold": np.array(np.nan)}, "holds numbers that are not finite"),
    ]
    level, discount, centre = "layer1.level", "layer1.discount", "layer1.centre"
    wrong += [
        ({**arrays, level: np.array(0, np.float32)}, "its variances are not above 0"),
        ({**arrays, discount: arrays[discount] * 0 + 1}, "its variances are not finite"),
        ({**arrays, centre: arrays[centre][:-1]}, "has an axis of length"),
    ]
    for damaged, message in wrong:
        with pytest.raises(BundleError, match=message):
            novelty_from_arrays("layers", damaged)


@pytest.mark.parametrize("kind", ["cosine", "both", "nearest", "mahalanobis"])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    with pytest.raises(BundleError, match=f"of the kind '{kind}', and this version knows 'layers'"):
        novelty_from_arrays(kind, {})


def test_scoring_in_a_fresh_process_loads_numpy_alone(tmp_path: Path) -> None:
    X, _ = blobs()
    found = two_layers()
    save_file({**found.to_arrays(), "X": X}, tmp_path / "novelty.safetensors")
    code = (
        "import sys\nfrom safetensors.numpy import load_file\n"
        "from headstart.trust.novelty.score import novelty_from_arrays\n"
        f"arrays = load_file({str(tmp_path / 'novelty.safetensors')!r})\nX = arrays.pop('X')\n"
        "novelty = novelty_from_arrays('layers', arrays)\n"
        "print(novelty.score(X).tobytes().hex(), novelty.is_novel(X).sum())\n"
        "print(sorted({'torch', 'timm', 'sklearn', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    said, loaded = done.stdout.splitlines()
    assert said == f"{found.score(X).tobytes().hex()} {found.is_novel(X).sum()}"
    assert loaded == "[]"
