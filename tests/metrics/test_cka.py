"""Linear CKA keeps the laws that its paper states."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.errors import DataError
from headstart.metrics import cka
from headstart.metrics.cka import CkaEstimate, linear_cka


@st.composite
def features(draw: st.DrawFn, n: int | None = None) -> np.ndarray:
    """Rows of features on some scale, fewer or more of them than columns."""
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    shape = (n or draw(st.integers(2, 12)), draw(st.integers(1, 20)))
    scale = 10.0 ** draw(st.integers(-20, 20))
    return (scale * (generator.standard_normal(shape) + draw(st.sampled_from([0.0, 3.0])))).astype(np.float32)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(2, 12))
    return draw(features(n)), draw(features(n))


def rotation(width: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((width, width)))[0]


@settings(deadline=None)
@given(pairs())
def test_it_lies_between_none_and_all_and_has_no_direction(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found, turned = linear_cka(*pair), linear_cka(*pair[::-1])
    assert 0 <= found.cka <= 1
    assert 0 < found.chance <= 1
    assert found.cka == pytest.approx(turned.cka, abs=1e-9)
    assert found.chance == pytest.approx(turned.chance, abs=1e-9)


@settings(deadline=None)
@given(features())
def test_features_are_entirely_like_themselves(X: np.ndarray) -> None:
    assert linear_cka(X, X).cka == pytest.approx(1.0, abs=1e-12)


@settings(deadline=None)
@given(pairs(), st.integers(0, 1000), st.sampled_from([-1e-3, -1.0, 0.5, 7.0, 1e4]), st.floats(-3, 3))
def test_rotating_scaling_or_shifting_features_changes_nothing(
    pair: tuple[np.ndarray, np.ndarray], seed: int, scale: float, shift: float
) -> None:
    X, Y = (array.astype(np.float64) for array in pair)
    moved = scale * (X + shift * np.abs(X).max()) @ rotation(X.shape[1], seed)
    before, after = linear_cka(X, Y), linear_cka(moved, Y)
    assert after.cka == pytest.approx(before.cka, abs=1e-6)
    assert after.chance == pytest.approx(before.chance, abs=1e-6)


@settings(deadline=None)
@given(pairs())
def test_computed_by_images_or_by_features_it_is_the_same(pair: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = (cka._centred(array) for array in pair)
    if x is None or y is None:
        return
    np.testing.assert_allclose(cka._by_images(x, y), cka._by_features(x, y), rtol=1e-8, atol=1e-14)


@settings(deadline=None, max_examples=20)
@given(st.integers(3, 5), st.integers(0, 1000))
def test_chance_is_the_mean_over_all_orders_of_the_images(n: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    X, Y = generator.standard_normal((n, 3)), generator.standard_normal((n, 7))
    orders = [linear_cka(X, Y[list(order)]).cka for order in itertools.permutations(range(n))]
    assert linear_cka(X, Y).chance == pytest.approx(np.mean(orders), abs=1e-9)


def test_uncorrelated_features_have_nothing_in_common() -> None:
    X = np.array([[1, 0], [-1, 0], [0, 0], [0, 0]], np.float32)
    Y = np.array([[0], [0], [1], [-1]], np.float32)
    assert linear_cka(X, Y).cka == 0.0


def test_half_of_the_variance_shared() -> None:
    """Two uncorrelated features of equal variance against one of them: K = (aa' + bb') / 2 and L = aa', so 1 / √2."""
    a, b = np.array([1, -1, 1, -1], np.float32), np.array([1, 1, -1, -1], np.float32)
    assert linear_cka(np.stack([a, b], 1), a[:, None]).cka == pytest.approx(2**-0.5)


def test_many_features_of_few_images_look_alike_by_chance() -> None:
    generator = np.random.default_rng(0)
    X, Y = (generator.standard_normal((20, 2000)).astype(np.float32) for _ in range(2))
    found = linear_cka(X, Y)
    assert found.cka > 0.95, "although they have nothing to do with each other"
    assert found.chance == pytest.approx(found.cka, abs=0.01)


def test_features_that_do_not_vary() -> None:
    flat, varied = np.full((5, 3), 0.1, np.float32), np.arange(15, dtype=np.float32).reshape(5, 3)
    assert linear_cka(flat, flat + 1) == CkaEstimate(1.0, 1.0)
    assert linear_cka(flat, varied) == linear_cka(varied, flat) == CkaEstimate(0.0, 0.0)
    assert linear_cka(np.zeros((4, 2), np.float32), np.zeros((4, 2), np.float32)).cka == 1.0


def test_images_must_be_the_same_and_more_than_one() -> None:
    with pytest.raises(DataError, match="on at least 2 images, the same ones; found 3 and 4"):
        linear_cka(np.zeros((3, 2), np.float32), np.zeros((4, 2), np.float32))
    with pytest.raises(DataError, match="found 1 and 1"):
        linear_cka(np.zeros((1, 2), np.float32), np.zeros((1, 2), np.float32))
