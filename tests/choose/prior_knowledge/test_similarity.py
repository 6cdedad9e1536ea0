"""The signals of similarity on arrays whose answer is known."""

import numpy as np
import pytest

from headstart.choose.prior_knowledge.similarity import Signal, depth_signal, head_signals, shift_signal, vote
from headstart.errors import InternalError


def sure(rows: list[int], strength: float = 30.0) -> np.ndarray:
    logits = np.zeros((len(rows), 1000), np.float32)
    logits[np.arange(len(rows)), rows] = strength
    return logits


def test_a_head_that_is_sure_of_as_many_kinds_as_there_are_classes_speaks_for_similar_images() -> None:
    confidence, kinds = head_signals(sure([1, 2, 3, 4] * 5), 4)
    assert confidence.value == pytest.approx(1.0, abs=1e-6)
    assert kinds.value == pytest.approx(4.0, rel=1e-4)
    assert (confidence.verdict, kinds.verdict) == ("similar", "similar")


def test_a_head_that_says_the_same_of_everything_tells_one_kind_apart_however_sure_it_is() -> None:
    confidence, kinds = head_signals(sure([7] * 20), 25)
    assert (confidence.verdict, kinds.verdict) == ("similar", "different")
    assert kinds.value == pytest.approx(1.0)


def test_a_head_that_knows_nothing_speaks_for_different_images() -> None:
    confidence, kinds = head_signals(np.zeros((10, 1000), np.float32), 3)
    assert confidence.value == pytest.approx(0.001)
    assert (confidence.verdict, kinds.verdict) == ("different", "different")


@pytest.mark.parametrize(("off", "verdict"), [(0.29, "similar"), (0.4, "in between"), (0.51, "different")])
def test_the_distance_is_counted_in_imagenets_standard_deviations(off: float, verdict: str) -> None:
    mean, spread = np.array([1.0, -2.0], np.float32), np.array([2.0, 0.5], np.float32)
    X = np.tile(mean + off * spread * np.array([1, -1], np.float32), (6, 1))
    found = shift_signal(X, mean, spread)
    assert found.value == pytest.approx(off, rel=1e-5)
    assert found.verdict == verdict


def test_a_channel_that_never_moved_does_not_blow_the_distance_up() -> None:
    spread = np.array([1.0, 1.0, 1.0, 1e-9], np.float32)
    found = shift_signal(np.full((3, 4), 0.1, np.float32), np.zeros(4, np.float32), spread)
    assert found.value == pytest.approx(0.1)


def test_a_last_layer_that_is_the_best_or_tied_speaks_for_similar_images() -> None:
    assert depth_signal("conv_head", "conv_head", 0.0, worse=False).verdict == "similar"
    tied = depth_signal("blocks.5", "conv_head", 0.012, worse=False)
    assert (tied.verdict, tied.words) == ("similar", "conv_head is 1.2 points below blocks.5, no more than noise")
    assert depth_signal("blocks.4", "conv_head", 0.08, worse=True).verdict == "different"


def test_the_side_with_more_signals_wins_and_even_votes_lie_in_between() -> None:
    yes, no, so = (Signal(v, 0.0, v, "") for v in ("similar", "different", "in between"))  # type: ignore[arg-type]
    assert vote([yes, yes, no, so]).verdict == "similar"
    assert vote([no, so, so, so]).verdict == "different"
    assert vote([yes, no, so]).verdict == "in between"
    assert vote([yes, yes, no]).words() == "similar to ImageNet's (2 similar, 1 different)"


def test_arrays_that_do_not_fit_are_our_fault() -> None:
    with pytest.raises(InternalError, match="cannot be judged"):
        head_signals(np.zeros((0, 1000), np.float32), 3)
    with pytest.raises(InternalError, match="do not fit together"):
        shift_signal(np.zeros((3, 4), np.float32), np.zeros(5, np.float32), np.ones(5, np.float32))
