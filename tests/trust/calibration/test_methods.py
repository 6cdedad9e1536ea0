"""Calibrations: the ranking stays, parameters are plain numbers, and the choice is measured on other rows."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from headstart.errors import BundleError, DataError, OptionError
from headstart.trust.calibration.choose import choose_calibration, cross_fitted, not_allowed
from headstart.trust.calibration.methods import (
    METHODS,
    Calibration,
    calibration_from_dict,
    fit_calibration,
    keep_order,
)


def drawn(n: int, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels that they are honest about."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, classes))
    return logits, (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)


@pytest.mark.parametrize("method", METHODS)
@given(
    hnp.arrays(np.float32, (20, 4), elements=st.floats(-50, 50, width=32)),
    hnp.arrays(np.int64, 20, elements=st.integers(0, 3)),
    hnp.arrays(np.float32, (6, 4), elements=st.floats(-100, 100, width=32)),
)
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_classes_in_a_row_never_changes(
    method: str, scores: np.ndarray, y: np.ndarray, new: np.ndarray
) -> None:
    calm = fit_calibration(method, scores, y).apply(new)
    assert calm.dtype == np.float32
    assert np.isfinite(calm).all()
    assert (calm >= 0).all()
    assert np.allclose(calm.sum(axis=1), 1, atol=1e-5)
    ranked = np.take_along_axis(calm.astype(np.float64), np.argsort(-new, axis=1, kind="stable"), axis=1)
    assert (np.diff(ranked, axis=1) <= 1e-7).all()


@pytest.mark.parametrize("method", METHODS)
def test_the_prediction_stays_even_where_the_data_speak_for_another(method: str) -> None:
    scores, y = drawn(1500)
    scores = scores + np.array([0.0, 2.0, 0.0])  # the second class is answered far too often
    calibration = fit_calibration(method, scores, y)
    assert (calibration.apply(scores).argmax(axis=1) == scores.argmax(axis=1)).all()
    if method == "vector":
        without = Calibration("vector", calibration.temperature, calibration.parameters)
        assert (without.vector_scaled(scores).argmax(axis=1) != scores.argmax(axis=1)).mean() > 0.1


@pytest.mark.parametrize("method", METHODS)
def test_a_calibration_survives_json(method: str) -> None:
    scores, y = drawn(400)
    calibration = fit_calibration(method, np.stack([scores, scores]), y)
    again = calibration_from_dict(json.loads(json.dumps(calibration.to_dict())), 3)
    assert (again.apply(scores) == calibration.apply(scores)).all()
    assert again.apply(scores[None]).shape == (1, 400, 3)


def test_a_damaged_calibration_is_refused() -> None:
    scores, y = drawn(400)
    good = fit_calibration("vector", scores, y).to_dict()
    for change in (
        {"method": "matrix"},
        {"temperature": 0},
        {"temperature": "hot"},
        {"parameters": {}},
        {"parameters": {"weight": [1.0, -1.0, 1.0], "bias": [0.0, 0.0, 0.0]}},
        {"parameters": {"weight": [1.0, 1.0], "bias": [0.0, 0.0]}},
        {"parameters": {"weight": [1.0, 1.0, float("nan")], "bias": [0.0, 0.0, 0.0]}},
        {"method": "isotonic", "parameters": {"inputs": [[0.2, 0.5]] * 3, "outputs": [[0.1, 0.2]] * 3}},
        {"blend": 2},
    ):
        with pytest.raises(BundleError, match="the saved calibration is damaged"):
            calibration_from_dict({**good, **change}, 3)
    with pytest.raises(BundleError):
        calibration_from_dict({"method": "temperature"}, 3)
    with pytest.raises(BundleError):
        calibration_from_dict(good, 4)


def test_vector_scaling_finds_the_weights_and_biases_that_were_put_in() -> None:
    logits, y = drawn(20_000)
    scores = 5 * (logits - np.array([0.0, 1.0, -1.0]))
    found = fit_calibration("vector", scores, y)
    bias = np.array(found.parameters["bias"])
    assert bias - bias.mean() == pytest.approx([0.0, 1.0, -1.0], abs=0.1)
    weights = np.array(found.parameters["weight"]) / found.temperature
    assert weights == pytest.approx([0.2, 0.2, 0.2], rel=0.1)


def test_no_class_becomes_impossible() -> None:
    scores, y = drawn(1200)
    assert fit_calibration("vector", scores, y).apply(scores).min() > 0


def test_keeping_the_order_is_the_nearest_that_keeps_it() -> None:
    kept = keep_order(np.array([[0.2, 0.5, 0.3], [0.5, 0.3, 0.2]]), np.array([[3.0, 2.0, 1.0]] * 2))
    assert kept.tolist() == pytest.approx(np.array([[0.35, 0.35, 0.3], [0.5, 0.3, 0.2]]))


def test_unknown_methods_and_no_rows_are_refused() -> None:
    scores, y = drawn(10)
    with pytest.raises(OptionError, match="calibration must be one of 'temperature', 'vector'"):
        fit_calibration("matrix", scores, y)
    with pytest.raises(DataError, match="found none"):
        fit_calibration("temperature", scores[:0], y[:0])
    with pytest.raises(OptionError, match="found none"):
        choose_calibration(scores[None], y, np.arange(10)[None] % 5, methods=())


def test_small_data_get_a_temperature_and_a_reason() -> None:
    scores, y = drawn(45)
    found = choose_calibration(3 * scores[None], y, np.arange(45)[None] % 5)
    assert found.calibration.method == "temperature"
    assert set(found.compared) == {"temperature"}
    assert "needs 20 images of each" in found.left_out["vector"]
    assert not_allowed("vector", np.repeat([0, 1], [20, 20]), 2) == ""
    assert not_allowed("vector", np.repeat([0, 1], [20, 19]), 2) != ""


@pytest.mark.parametrize(
    ("bend", "wanted"),
    [
        (lambda z: 4 * z, "temperature"),
        (lambda z: 4 * (z - np.array([0.0, 0.0, 2.0])), "vector"),
    ],
    ids=["too sharp", "one class too low"],
)
def test_the_method_that_the_scores_call_for_is_chosen(bend: object, wanted: str) -> None:
    logits, y = drawn(3000)
    scores = bend(logits)[None]  # type: ignore[operator]
    found = choose_calibration(scores, y, np.arange(3000)[None] % 5)
    assert found.calibration.method == wanted
    assert found.after.log_loss < found.before.log_loss
    assert found.after.log_loss == pytest.approx(found.compared[wanted])
    assert found.after.calibration_error < found.before.calibration_error
    assert json.loads(json.dumps(found.to_dict()))["calibration"]["method"] == wanted


def test_a_group_that_decides_alone_decides_nothing() -> None:
    logits, y = drawn(3000)
    scores = (4 * (logits - np.array([0.0, 0.0, 0.45])))[None]
    folds = np.arange(3000)[None] % 5
    alone = choose_calibration(scores, y, folds, methods=("temperature", "vector"))
    grouped = choose_calibration(scores, y, folds, methods=("temperature", "vector"), groups=np.arange(3000) // 1500)
    assert alone.compared == grouped.compared
    assert alone.calibration.method == "vector"


@pytest.mark.parametrize("method", METHODS)
def test_what_is_measured_was_not_fitted_on(method: str) -> None:
    scores, y = drawn(300)
    folds = np.arange(300)[None] % 5
    changed = y.copy()
    changed[folds[0] == 3] = (changed[folds[0] == 3] + 1) % 3
    before, after = (cross_fitted(method, scores[None], labels, folds) for labels in (y, changed))
    mine = folds[0] == 3
    assert (before[0, mine] == after[0, mine]).all()
    assert not (before[0, ~mine] == after[0, ~mine]).all()


@given(hnp.arrays(np.float64, 12, elements=st.floats(0, 1)))
@settings(max_examples=100, deadline=None)
def test_the_nearest_falling_sequence_is_scipys(values: np.ndarray) -> None:
    from scipy.optimize import isotonic_regression

    falling = keep_order(values[None], -np.arange(12.0)[None])[0]
    assert np.allclose(falling, isotonic_regression(values, increasing=False).x, atol=1e-12)
