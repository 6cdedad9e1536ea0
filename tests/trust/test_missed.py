"""Conformal risk control keeps its promise at its rate; what cannot be promised is refused with the reason."""

import numpy as np
import pytest

from headstart.trust.missed import LEVELS, MissedEvidence, losses_of_histograms, losses_of_scores


def images(random: np.random.Generator, count: int) -> np.ndarray:
    """Losses of images whose objects' scores share the image's difficulty."""
    image = np.repeat(np.arange(count), random.integers(1, 8, count))
    hard = random.beta(2, 2, count)[image]
    scores = np.clip(random.beta(6, 2, len(image)) * (0.4 + 0.6 * hard), 0, 1)
    return losses_of_scores(image, scores, count)


@pytest.mark.parametrize("limit", [0.05, 0.2])
def test_the_share_missed_of_new_images_is_at_most_what_was_promised(limit: float) -> None:
    random = np.random.default_rng(0)
    missed = []
    for _ in range(300):
        threshold = MissedEvidence(images(random, 60)).threshold(limit)
        assert threshold is not None
        fresh = images(random, 40)
        missed.append(float(fresh[:, round(threshold * 200)].mean()))
    error = np.std(missed) / len(missed) ** 0.5
    assert np.mean(missed) <= limit + 2 * error
    assert np.mean(missed) >= limit - 0.03  # and it is not kept by showing everything


def test_eighteen_images_are_too_few_for_five_percent_and_nineteen_are_enough() -> None:
    assert MissedEvidence(np.zeros((18, len(LEVELS)), np.float32)).threshold(0.05) is None
    assert MissedEvidence(np.zeros((19, len(LEVELS)), np.float32)).threshold(0.05) == 1.0
    few = MissedEvidence(np.zeros((18, len(LEVELS)), np.float32))
    assert few.refusal(0.05) == (
        "that at most 5 % of the objects are missed takes 19 labelled images; there are 18: label more, or allow more."
    )


def test_objects_that_are_seen_at_no_score_are_said() -> None:
    losses = losses_of_scores(np.repeat(np.arange(100), 10), np.tile([-1.0] + [0.9] * 9, 100), 100)
    evidence = MissedEvidence(losses)
    assert evidence.threshold(0.05) is None
    assert "does not see 10.0 % of them at any score; 10.9 % can be." in evidence.refusal(0.05)


def test_an_image_without_objects_misses_none() -> None:
    assert losses_of_scores(np.array([1]), np.array([0.5]), 2)[0].max() == 0


def test_pixels_are_missed_where_their_class_is_less_probable_than_the_threshold() -> None:
    histogram = np.zeros((1, 200), np.int64)
    histogram[0, 20], histogram[0, 199] = 1, 3  # one pixel at 10 %, three at 100 %
    losses = losses_of_histograms(histogram)[0]
    assert losses[20] == 0
    assert losses[21] == 0.25
