"""Interpolation commutes with a linear layer, GIoU's gradient is right, the floor is ridge, boxes vote."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.errors import BundleError
from headstart.heads.spatial.box_points import PointCounts, draw_box_points, giou_gradient
from headstart.heads.spatial.decode import decode_boxes, suppress
from headstart.heads.spatial.gram import gram
from headstart.heads.spatial.network import CellNetwork, Training, network_from_arrays, train_network
from headstart.heads.spatial.pixel_points import PixelLoss, class_weights, draw_pixels
from headstart.heads.spatial.points import gather, grid_points

RANDOM = np.random.default_rng(0)


def maps() -> list[np.ndarray]:
    return [RANDOM.standard_normal((8, 12, 3)).astype(np.float32), RANDOM.standard_normal((2, 3, 5)).astype(np.float32)]


def network(outputs: int = 4) -> CellNetwork:
    layers = [RANDOM.standard_normal(shape).astype(np.float32) for shape in ((8, 6), (6,), (6, outputs), (outputs,))]
    return CellNetwork(*layers)


def test_a_grid_equals_the_head_at_its_points() -> None:
    taps, head = maps(), network()
    points = grid_points(12, 8, 8)
    at = head.at(gather(taps, points, (96, 64)))
    assert np.allclose(head.grid(taps, 12, 8).reshape(96, -1), at, atol=1e-4)


def test_a_saved_network_comes_back_and_a_damaged_one_is_refused() -> None:
    head = network()
    again = network_from_arrays(head.to_arrays())
    assert np.array_equal(again.inner, head.inner)
    with pytest.raises(BundleError, match="an axis of length"):
        network_from_arrays({**head.to_arrays(), "outer": np.ones((5, 4), np.float32)})


def giou(logs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    a, b = np.exp(logs), targets
    low, high = np.minimum(a, b), np.maximum(a, b)
    inner = (low[:, 0] + low[:, 2]) * (low[:, 1] + low[:, 3])
    hull = (high[:, 0] + high[:, 2]) * (high[:, 1] + high[:, 3])
    union = sum((s[:, 0] + s[:, 2]) * (s[:, 1] + s[:, 3]) for s in (a, b)) - inner
    return np.asarray(inner / union - 1 + union / hull)


@given(st.integers(0, 10_000))
def test_the_gradient_of_giou_is_that_of_its_differences(seed: int) -> None:
    random = np.random.default_rng(seed)
    logs, targets = random.uniform(0, 4, (3, 4)), np.exp(random.uniform(0, 4, (3, 4)))
    numeric = np.zeros((3, 4))
    for side in range(4):
        step = np.zeros(4)
        step[side] = 1e-6
        numeric[:, side] = (giou(logs + step, targets) - giou(logs - step, targets)) / 2e-6
    assert np.allclose(giou_gradient(logs, targets), numeric, atol=1e-5)


def test_points_in_the_middle_are_the_objects_and_a_ring_is_nobodys() -> None:
    corners = np.array([[10.0, 10, 50, 50]])
    drawn = draw_box_points(
        corners,
        np.array([1]),
        np.array([False]),
        (100.0, 80.0),
        counts=PointCounts(20, 20, 200),
        random=np.random.default_rng(0),
    )
    off = (np.abs(drawn.points - 30) / 40).max(axis=1)
    assert (drawn.labels[off <= 0.1] == 1).all()
    assert (drawn.labels[off > 0.3] == -1).all()
    assert not ((off > 0.101) & (off < 0.299)).any()
    inside = drawn.labels == 1
    assert np.allclose(drawn.distances[inside, 0] + drawn.distances[inside, 2], 40, atol=1e-3)


def test_an_image_without_objects_gives_background_alone() -> None:
    drawn = draw_box_points(
        np.zeros((0, 4)),
        np.zeros(0, np.int64),
        np.zeros(0, bool),
        (64.0, 64.0),
        counts=PointCounts(4, 4, 30),
        random=np.random.default_rng(0),
    )
    assert set(drawn.labels.tolist()) == {-1}


def test_subtracting_a_folds_sums_is_fitting_without_it() -> None:
    X = RANDOM.standard_normal((200, 5)).astype(np.float16)
    Y = RANDOM.standard_normal((200, 2)).astype(np.float32)
    ones = np.ones(200, np.float32)
    rows = np.arange(200)
    whole, part = gram(X, Y, rows, ones), gram(X, Y, rows[:50], ones)
    assert np.allclose((whole - part).solve().inner, gram(X, Y, rows[50:], ones).solve().inner, atol=1e-4)


def test_the_network_learns_what_a_line_cannot() -> None:
    X = RANDOM.standard_normal((2000, 2)).astype(np.float16)
    labels = (X[:, 0].astype(float) * X[:, 1] > 0).astype(np.int64)
    loss = PixelLoss(labels, np.ones(2, np.float32))
    head = train_network(X, loss, loss.start(), training=Training(hidden=32, epochs=30, rate=1e-2, dropout=0.0))
    assert (head.at(X.astype(np.float32)).argmax(axis=1) == labels).mean() > 0.95


def test_rare_classes_weigh_more_with_a_mean_of_one() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    weights = class_weights(labels, 2)
    assert weights[1] == pytest.approx(3 * weights[0], rel=1e-5)
    assert weights[labels].mean() == pytest.approx(1)


def test_pixels_are_drawn_from_every_class_and_never_from_void() -> None:
    truth = np.zeros((20, 30), np.int16)
    truth[:3, :3] = 1
    truth[10:] = -1
    points, labels = draw_pixels(truth, (60.0, 40.0), 400, np.random.default_rng(0))
    assert set(labels.tolist()) == {0, 1}
    rows, columns = (points[:, 1] / 2).astype(int), (points[:, 0] / 2).astype(int)
    assert (truth[rows, columns] == labels).all()


def test_of_two_boxes_on_one_object_one_stays_between_them() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 11], [50, 50, 60, 60]])
    corners, scores = suppress(boxes, np.array([0.9, 0.8, 0.7]))
    assert scores.tolist() == [0.9, 0.7]
    assert 10 < corners[0, 3] < 11


def test_boxes_come_back_in_the_images_pixels() -> None:
    outputs = np.full((1, 5), np.log(10.0), np.float32)
    seen = decode_boxes(outputs, np.array([[50.0, 40.0]], np.float32), (0.5, 0.5), (200, 90))
    assert seen.corners.round(3).tolist() == [[80, 60, 120, 90]]  # cut at the image's lower edge
