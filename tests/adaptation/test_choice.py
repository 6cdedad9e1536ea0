"""The gate, the signs, the forecast, the head for new images and the images to label first."""

from dataclasses import replace

import numpy as np
import pytest
from tests.adaptation.test_ways import accuracy, clouds, shifted

from headstart.adaptation.choice import ADAPTED, SAME_DOMAIN, UNSURE, Choice, Signs, beyond_chance, choose
from headstart.adaptation.distance import DomainDistance, domain_distance
from headstart.adaptation.domains import Domains, apart
from headstart.adaptation.few_labels import answer_with_labels, cross_fitted
from headstart.adaptation.forecast import expected_after, expected_before
from headstart.adaptation.graph import neighbours
from headstart.adaptation.next_labels import next_labels
from headstart.adaptation.reverse import reverse_accuracy
from headstart.adaptation.softmax import one_hot
from headstart.adaptation.student import teach
from headstart.adaptation.vote import cast_votes
from headstart.metrics.intervals import Estimate


def collapsed(n: int) -> np.ndarray:
    """What a head says that has lost its way: the same of nearly everything."""
    table = np.full((n, 3), 0.1)
    table[:, 0] = 0.8
    table[::7] = [0.1, 0.8, 0.1]
    return table


def test_one_cloud_is_one_domain_and_a_moved_one_is_another() -> None:
    rows, _ = clouds(200, 0)
    same = domain_distance(rows[:100], rows[100:])
    assert same.accuracy.value < 0.65
    assert same.distance < 0.6
    domains, _ = shifted()
    other = domain_distance(domains.source, domains.target)
    assert other.accuracy.value > 0.95
    assert other.distance > 1.8


def test_a_group_never_stands_on_both_sides_of_a_fold() -> None:
    rows, _ = clouds(60, 0)
    copies = np.repeat(rows[:30], 2, axis=0)
    groups = np.repeat(np.arange(30), 2)
    distance = domain_distance(copies, rows[30:], groups=(groups, np.arange(30)))
    assert distance.accuracy.value < 0.7


def test_in_the_same_domain_nothing_is_done() -> None:
    rows, labels = clouds(200, 0)
    domains = Domains(rows[:100], labels[:100], rows[100:], 3)
    head = one_hot(labels[100:], 3)
    choice = choose(domains, head, domain_distance(domains.source, domains.target))
    assert choice.verdict == SAME_DOMAIN
    assert choice.table is head
    assert expected_before(choice, 0.9).value == 0.9
    assert expected_after(choice) is None


def test_a_head_that_lost_its_way_is_adapted() -> None:
    domains, truth = shifted()
    head = collapsed(len(truth))
    choice = choose(domains, head, domain_distance(domains.source, domains.target))
    assert choice.verdict == ADAPTED
    assert accuracy(choice.table, truth) > 0.95
    assert choice.after is not None
    assert choice.before is not None
    assert choice.after > choice.before
    assert expected_before(choice, 0.99).value < expected_after(choice).value  # type: ignore[union-attr]


def test_a_head_that_is_right_is_left_alone() -> None:
    domains, truth = shifted()
    head = one_hot(truth, 3)
    choice = choose(domains, head, domain_distance(domains.source, domains.target))
    assert choice.verdict == UNSURE
    assert choice.table is head


def test_right_answers_teach_a_head_that_is_right_on_the_source_and_wrong_ones_do_not() -> None:
    domains, truth = shifted()
    space = apart(domains)
    assert reverse_accuracy(domains, space, one_hot(truth, 3)) == 1.0
    assert reverse_accuracy(domains, space, one_hot((truth + 1) % 3, 3)) == 0.0
    assert round(reverse_accuracy(domains, space, np.eye(3)[np.zeros(len(truth), np.int64)]), 2) == 0.33


def signs(**changes: object) -> Signs:
    plain = Signs(classes=7, before=0.60, after=0.62, revised=0.63, clear=0.05, same=0.75, back=(0.5, 0.6))
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_the_way_back_is_a_sign_where_head_and_vote_differ_on_many_images_of_three_classes_or_more() -> None:
    assert signs().speak_for_mean
    assert not signs().speak_for_revised
    assert not signs(same=0.90).speak_for_mean
    assert not signs(back=(0.5, 0.49)).speak_for_mean
    assert not signs(classes=2).speak_for_mean


def test_agreeing_neighbours_are_no_sign_where_the_way_back_is_clearly_worse() -> None:
    assert signs(after=0.67, back=(0.5, 0.48), classes=2).speak_for_mean
    assert not signs(after=0.67, back=(0.5, 0.44)).speak_for_mean


def test_a_step_of_the_revised_vote_is_enough_for_it_but_not_of_two_classes() -> None:
    assert signs(revised=0.67).speak_for_revised
    assert signs(clear=0.21).speak_for_revised
    assert not signs(revised=0.67, clear=0.21, classes=2).speak_for_revised


def test_one_answer_for_everything_agrees_by_chance_alone() -> None:
    nearest, _ = neighbours(clouds(30, 0)[0], 5)
    assert beyond_chance(nearest, np.zeros(30, np.int64)) == 0.0
    assert beyond_chance(nearest, np.arange(30) % 3) > 0.5


def test_the_band_of_a_forecast_stays_between_none_and_all() -> None:
    distance = DomainDistance(Estimate(0.99, 0.98, 1.0))
    choice = Choice(ADAPTED, np.eye(3), distance, agreement=0.1, harmony=1.0)
    assert expected_before(choice, 0.9).low == 0.0
    after = expected_after(choice)
    assert after is not None
    assert (round(after.value, 2), after.high) == (0.79, 1.0)


def test_the_student_says_what_it_was_taught_also_of_new_rows() -> None:
    domains, truth = shifted()
    form, table = teach(domains, one_hot(truth, 3))
    assert accuracy(table, truth) == 1.0
    assert accuracy(form.scores(domains.target), truth) == 1.0


def test_labels_of_the_target_are_heard_and_never_score_themselves() -> None:
    domains, truth = shifted()
    rows = np.arange(30)
    begin = np.full((len(truth), 3), 1 / 3)
    assert accuracy(answer_with_labels(domains, begin, rows, truth[rows]), truth) > 0.97
    noise = np.random.default_rng(0).integers(0, 3, 30)
    assert accuracy(cross_fitted(domains, begin, rows, noise), noise) < 0.7


def test_images_to_label_are_different_and_spread_over_the_classes() -> None:
    domains, truth = shifted()
    votes = cast_votes(domains, collapsed(len(truth)))
    first = next_labels(votes.space.target, votes.mean, 6)
    assert len(set(first.tolist())) == 6
    assert set(truth[first].tolist()) == {0, 1, 2}
    assert len(next_labels(votes.space.target[:4], votes.mean[:4], 9)) == 4


def test_votes_are_probabilities_and_their_harmony_a_share() -> None:
    domains, truth = shifted(60)
    votes = cast_votes(domains, collapsed(len(truth)))
    assert list(votes.tables) == ["same", "predicted", "same, revised", "predicted, revised"]
    np.testing.assert_allclose(votes.mean.sum(axis=1), 1)
    assert 0 <= votes.harmony <= 1
    assert list(votes.members)[:2] == ["standardised", "standardised, strong"]
    assert votes.members["propagation"].shape == (60, 3)
    with pytest.raises(KeyError):
        votes.tables["unknown"]
