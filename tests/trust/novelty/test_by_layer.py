"""Distance and direction at several layers: one scale for all values, whatever their units, and no hostile arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import BundleError
from headstart.trust.novelty.by_layer import ByLayer, LayerScale, fit_layers, fit_scale, layer_values
from headstart.trust.novelty.mahalanobis import fit_mahalanobis


def blobs(n: int = 90, d: int = 20, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return (random.normal(size=(n, d)) + 4 * random.normal(size=(classes, d))[y] + 3).astype(np.float32), y


def by_layer() -> ByLayer:
    X, y = blobs()
    layers = fit_layers(X, y, [8, 12])
    return ByLayer(layers, fit_scale(layer_values(layers, X)))


@given(st.lists(st.floats(-50, 50, width=32), min_size=2, max_size=60), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_a_log_tail_never_falls_as_the_value_rises(known: list[float], seed: int) -> None:
    scale = fit_scale(np.array(known, np.float32)[:, None])
    values = np.sort(np.random.default_rng(seed).uniform(-60, 60, 50).astype(np.float32))
    found = scale.mean_log_tail(values[:, None])
    assert (np.diff(found) >= 0).all()
    assert (found >= 0).all()
    assert np.isfinite(found).all()


def test_the_log_tail_is_minus_the_logarithm_of_the_share_above_and_goes_on_in_a_line() -> None:
    scale = fit_scale(np.linspace(0, 1, 1001, dtype=np.float32)[:, None])
    at = scale.mean_log_tail(np.array([[-5.0], [0.5], [0.75], [0.9]], np.float32))
    assert at == pytest.approx([0, -np.log(0.5), -np.log(0.25), -np.log(0.1)], abs=0.01)
    far = scale.mean_log_tail(np.array([[1.9], [2.9], [3.9]], np.float32))
    assert np.diff(far) == pytest.approx([1 / 0.05, 1 / 0.05], rel=0.02)  # the tenth above .9 exceeds it by .05


def test_units_do_not_matter() -> None:
    known = np.random.default_rng(0).gamma(2, size=(200, 2)).astype(np.float32)
    large = known * np.array([1, 1000], np.float32) + np.array([0, 7], np.float32)
    new = np.random.default_rng(1).gamma(2, size=(50, 2)).astype(np.float32) * 2
    moved = new * np.array([1, 1000], np.float32) + np.array([0, 7], np.float32)
    assert fit_scale(large).mean_log_tail(moved) == pytest.approx(fit_scale(known).mean_log_tail(new), rel=1e-3)


def test_values_that_are_all_alike_give_a_finite_scale() -> None:
    scale = fit_scale(np.full((30, 2), 0.7, np.float32))
    assert scale.mean_log_tail(np.full((1, 2), 0.6, np.float32)).tolist() == [0.0]
    assert scale.mean_log_tail(np.full((1, 2), 0.8, np.float32))[0] > 100


def test_each_layer_gives_distance_and_direction_of_its_own_columns() -> None:
    X, y = blobs()
    found = layer_values(fit_layers(X, y, [8, 12]), X)
    assert found.shape == (90, 4)
    assert np.array_equal(found[:, 2:], fit_mahalanobis(X[:, 8:].copy(), y).distance_and_direction(X[:, 8:].copy()))
    assert by_layer().width == 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tails": np.zeros(4, np.float32)}, "its tails are not above 0"),
        ({"tails": np.ones(3, np.float32)}, "the array 'tails' has an axis of length 3"),
        ({"knots": np.zeros((2, 19), np.float32), "tails": np.ones(2, np.float32)}, "2 layers, and a scale for 2 val"),
        ({"knots": np.zeros((4, 1), np.float32)}, "its quantiles do not rise"),
        ({"knots": -np.arange(76, dtype=np.float32).reshape(4, 19)}, "its quantiles do not rise"),
        ({"knots": np.full((4, 19), np.inf, np.float32)}, "holds numbers that are not finite"),
        ({"layer7.centre": np.zeros(3, np.float32)}, "its layers are called layer0, layer1, layer7"),
        ({"layer01.level": np.array(1, np.float32)}, "its layers are called layer0, layer01, layer1"),
        ({"layer1.": np.array(1, np.float32)}, "it must hold axes, centre, discount, level, means"),
        ({"other": np.zeros(3)}, "it must hold knots, tails, and holds knots, other, tails"),
    ],
)
def test_damaged_arrays_are_refused(changes: dict[str, np.ndarray], message: str) -> None:
    arrays = by_layer().to_arrays()
    ByLayer.of_arrays(arrays)
    with pytest.raises(BundleError, match=message):
        ByLayer.of_arrays({**arrays, **changes})


def test_no_layer_at_all_is_refused() -> None:
    with pytest.raises(BundleError, match="it has 0 layers, and a scale for 1 values"):
        ByLayer.of_arrays(
            {"knots": np.zeros((1, 19), np.float32), "tails": np.ones(1, np.float32)},
        )
    with pytest.raises(BundleError, match="has an axis of length 0"):
        ByLayer.of_arrays({"knots": np.zeros((0, 19), np.float32), "tails": np.ones(0, np.float32)})


def test_no_training_row_is_kept() -> None:
    X, _ = blobs()
    assert all(len(X) not in array.shape for array in by_layer().to_arrays().values())
    assert LayerScale.layout.keys() == {"knots", "tails"}
