"""The greedy ensemble."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.choose.ensemble import crossed_scores, select
from headstart.heads.base import PathScores
from headstart.heads.forms.blend import Blend
from headstart.heads.forms.linear import form_from_arrays

LABELS = np.arange(60) % 3
FOLDS = np.stack([np.arange(60) // 3 % 5, (np.arange(60) + 1) // 3 % 5])


def path(strength: float, seed: int) -> PathScores:
    """Scores of one configuration: `strength` for the true class, and noise."""
    noise = np.random.default_rng(seed).standard_normal((1, 2, 60, 3))
    return PathScores(({},), (noise + strength * np.eye(3)[LABELS]).astype(np.float32))


def test_a_model_that_knows_all_stands_alone() -> None:
    recipe = select([path(0.0, 1), path(50.0, 2)], LABELS, np.arange(60))
    assert recipe.members == ((1, 0),)
    assert recipe.shares == (1.0,)


def test_two_models_of_like_worth_are_averaged() -> None:
    recipe = select([path(1.5, 3), path(1.5, 4)], LABELS, np.arange(60))
    assert len(recipe.members) == 2
    assert sum(recipe.shares) == 1.0


def test_a_fold_is_scored_by_an_ensemble_that_has_not_seen_its_labels() -> None:
    paths = [path(1.0, 5), path(1.2, 6)]
    before = crossed_scores(paths, LABELS, FOLDS)
    held_out = FOLDS[0] == 2
    other = np.where(held_out, (LABELS + 1) % 3, LABELS)
    np.testing.assert_array_equal(crossed_scores(paths, other, FOLDS)[:, held_out], before[:, held_out])


@settings(max_examples=20)
@given(st.integers(1, 4), st.integers(2, 5), st.integers(1, 6))
def test_a_saved_ensemble_gives_the_same_scores(models: int, classes: int, width: int) -> None:
    random = np.random.default_rng(models + 10 * classes)
    share = random.random(models).astype(np.float32) + 0.1
    blend = Blend(
        random.standard_normal((models, width, classes)).astype(np.float32),
        random.standard_normal((models, classes)).astype(np.float32),
        random.random(models).astype(np.float32) + 0.5,
        share / share.sum(),
    )
    X = random.standard_normal((7, width)).astype(np.float32)
    again = form_from_arrays("blend", blend.to_arrays())
    np.testing.assert_array_equal(again.scores(X), blend.scores(X))
    np.testing.assert_allclose(np.exp(blend.scores(X)).sum(axis=1), 1, atol=1e-5)
