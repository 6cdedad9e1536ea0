"""Ridge with further views of its images: what is held out with what, when it takes part, and what it leaves behind."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from headstart.choose.strategy import About
from headstart.data.sources.load import load_dataset
from headstart.data.splits import Division, divide
from headstart.heads.catalog import make_head
from headstart.pipeline import augmented
from headstart.pipeline.augmented import VIEWS, AugmentedStrategy, plan_augmented
from headstart.pipeline.candidates import HeadStrategy
from headstart.pipeline.comparison import plan_candidates, rows_of
from headstart.pipeline.options import Options
from headstart.pipeline.prepare import Prepared, prepare
from headstart.records.rows import Rows
from headstart.records.targets import Classes


@pytest.fixture(scope="module")
def data(cells: Path) -> tuple[Prepared, Division, Options]:
    """Real cells, prepared for a race in which everything is tried."""
    options = Options(backbones=("lite0",))
    prepared = prepare(load_dataset(cells), ("lite0",), options.run)
    return prepared, divide(prepared.samples, count=3, repeats=1, seed=0), options


def heads_of(data: tuple[Prepared, Division, Options]) -> list[HeadStrategy]:
    heads, _ = plan_candidates(*data, heads=("ridge",))
    return heads


def test_every_image_is_followed_by_its_views_and_scored_as_it_is(data: tuple[Prepared, Division, Options]) -> None:
    prepared, division, options = data
    heads = heads_of(data)
    (strategy,) = plan_augmented(prepared, division, options, heads, math.inf)
    plain = heads[-1]
    n, d = plain.X.shape
    assert strategy.X.shape == ((1 + VIEWS) * n, d)
    assert np.array_equal(strategy.X[:n], plain.X)
    assert not np.allclose(strategy.X[n : 2 * n], plain.X, atol=0.01)
    assert (strategy.about.name, strategy.about.features) == ("multi-layer ridge", "efficientnet_lite0, 5 layers")
    assert strategy.about.prior == pytest.approx(plain.about.prior + 0.01)
    rows = rows_of(prepared, division)
    path = strategy.path(rows)
    assert path.scores.shape == (1, *division.folds.shape, len(rows.classes))
    fitted = strategy.fit(rows, {"alpha": 1280.0, "views": 3})
    assert fitted.head == "augmented-ridge"
    assert fitted.X is plain.X  # what novelty and drift look at are images as they are
    assert fitted.notes == ("The head was trained on every image and 3 closer views of it.",)
    assert fitted.form.scores(plain.X).argmax(axis=1).tolist() == rows.labels.tolist()


def test_a_view_is_held_out_with_its_image() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(120, 400)).astype(np.float32)
    labels = random.permutation(np.arange(120) % 2)  # nothing to be learnt, but by heart
    rows = Rows(Classes(labels, ("a", "b")), (np.arange(120) % 4)[None])
    plain = HeadStrategy(About("ridge", "all", 1.0), "ridge", False, (), X)
    strategy = AugmentedStrategy(plain, np.concatenate([X, X, X]))
    (scores,) = strategy.path(rows).scores
    assert 0.3 < (scores[0].argmax(axis=1) == labels).mean() < 0.7


def test_copies_of_the_rows_as_views_change_nothing_but_the_weight_of_the_data() -> None:
    random = np.random.default_rng(1)
    X = random.normal(size=(60, 12)).astype(np.float32)
    labels = (X[:, 0] + 0.3 * random.normal(size=60) > 0).astype(np.int64)
    rows = Rows(Classes(labels, ("a", "b")), (np.arange(60) % 3)[None])
    plain = HeadStrategy(About("ridge", "all", 1.0), "ridge", False, (), X)
    twice = AugmentedStrategy(plain, np.concatenate([X, X])).fit(rows, {"alpha": 20.0, "views": 1})
    once = make_head("ridge", signed_sqrt=False, configuration={"alpha": 10.0}).fit(X, labels)
    assert np.allclose(twice.form.scores(X), once.form_.scores(X), atol=1e-3)


def test_it_takes_part_only_where_all_is_tried_and_there_is_time(data: tuple[Prepared, Division, Options]) -> None:
    prepared, division, options = data
    heads = heads_of(data)
    assert plan_augmented(prepared, division, replace(options, heads=("ridge",)), heads, math.inf) == []
    assert plan_augmented(prepared, division, options, [], math.inf) == []
    assert plan_augmented(prepared, division, options, heads, 0.1) == []


def test_many_images_have_no_views_and_little_time_fewer() -> None:
    views = [augmented._affordable(images, 1.3, math.inf) for images in (100, 250, 251, 5000)]
    assert views == [3, 3, 0, 0]
    assert [augmented._affordable(100, 1.3, left) for left in (300.0, 60.0, 20.0)] == [3, 2, 0]


def test_views_that_mislead_are_not_trained_on_and_those_that_help_are() -> None:
    random = np.random.default_rng(2)
    labels = np.arange(90) % 3
    centres = random.normal(size=(3, 200))
    X = (centres[labels] + 6 * random.normal(size=(90, 200))).astype(np.float32)
    rows = Rows(Classes(labels, ("a", "b", "c")), (np.arange(90) // 3 % 5)[None])
    plain = HeadStrategy(About("ridge", "all", 1.0), "ridge", False, (), X)
    others = (centres[(labels + 1) % 3] + random.normal(size=(90, 200))).astype(np.float32)
    (misled,) = AugmentedStrategy(plain, np.concatenate([X, others])).path(rows).configurations
    assert "views" not in misled
    more = (centres[labels] + 6 * random.normal(size=(90, 200))).astype(np.float32)
    strategy = AugmentedStrategy(plain, np.concatenate([X, more]))
    (helped,) = strategy.path(rows).configurations
    assert helped["views"] == 1
    alone = strategy.fit(rows, {"alpha": helped["alpha"]})
    assert (alone.head, alone.notes) == ("", ())
