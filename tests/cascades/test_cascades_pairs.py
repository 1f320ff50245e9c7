"""Pairs and thresholds as sums over sorted samples, against walks sample by sample."""

import numpy as np
import pytest
from cascades_examples import check, random_table, walked
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.cascades.draft_search import search_drafts
from netstitch.cascades.drafts import undominated
from netstitch.cascades.extending import extended
from netstitch.cascades.pairs import all_pairs, thresholded, with_means
from netstitch.cascades.thresholds import thresholds_of

FEW = settings(max_examples=15, deadline=None)
CONFIDENCES = st.lists(st.sampled_from([0.0, 0.2, 0.21, 0.5, 0.9, 1.0]), min_size=1, max_size=30)


def none(done: int) -> None:
    pass


@FEW
@given(CONFIDENCES)
def test_thresholds_part_samples_where_confidences_differ(values: list[float]) -> None:
    confidence = np.array(values, np.float32)
    thresholds, leaving = thresholds_of(confidence)
    assert [(confidence >= one).sum() for one in thresholds] == leaving.tolist()
    assert ((thresholds > 0) & (thresholds < 1)).all()
    assert not np.isin(thresholds, confidence).any()
    assert len(set(leaving)) == len(leaving)


def test_thresholds_stand_midway_on_a_coarse_grid_of_shares() -> None:
    confidence = np.linspace(0.01, 0.99, 1000, dtype=np.float32)
    thresholds, leaving = thresholds_of(confidence, (0.1, 0.5))
    assert leaving.tolist() == [500, 900]
    ordered = np.sort(confidence)
    assert thresholds == pytest.approx([ordered[499:501].mean(), ordered[99:101].mean()])


def test_neighbours_without_a_number_between_them_are_parted_too() -> None:
    low = np.float32(0.5)
    high = np.nextafter(low, np.float32(1))
    thresholds, leaving = thresholds_of(np.array([low, high], np.float32))
    assert (thresholds.tolist(), leaving.tolist()) == ([high], [1])


@FEW
@given(st.integers(0, 1000), st.integers(2, 6), st.integers(2, 40))
def test_pairs_come_to_what_walking_each_sample_does(seed: int, count: int, samples: int) -> None:
    table = random_table(count, samples, seed)
    pairs = all_pairs(table, range(count), range(count), none)
    check(table, pairs.drafts)
    check(table, pairs.drafts.undominated)


@FEW
@given(st.integers(0, 1000))
def test_no_pair_at_any_threshold_beats_what_is_kept(seed: int) -> None:
    table = random_table(4, 25, seed)
    front = all_pairs(table, range(4), range(4), none).drafts.undominated
    for first in range(4):
        for threshold in thresholded(table.confidence[first]).thresholds.tolist():
            for second in range(4):
                if first != second:
                    cost, score = walked(table, (first, second), [threshold])
                    assert ((front.cost <= cost + 1e-9) & (front.score >= score - 1e-9)).any()


@FEW
@given(st.integers(0, 1000))
def test_mean_answers_come_to_what_walking_does(seed: int) -> None:
    table = random_table(5, 30, seed)
    means = with_means(table, all_pairs(table, range(5), range(5), none).ranked)
    check(table, means)
    assert means.mean[:, 1].all()


@FEW
@given(st.integers(0, 1000))
def test_three_stages_come_to_what_walking_does(seed: int) -> None:
    table = random_table(4, 30, seed)
    ranked = all_pairs(table, range(4), range(4), none).ranked
    longer = extended(table, ranked[:3], range(4), range(4), none)
    assert (longer.stages >= 0).all()
    check(table, longer)


def test_a_third_stage_adds_to_the_front_and_takes_nothing_from_it() -> None:
    table = random_table(6, 60, 3)
    two = search_drafts(table, range(6), 2).undominated
    three = search_drafts(table, range(6), 3).undominated
    for cost, score in zip(two.cost, two.score, strict=True):
        assert ((three.cost <= cost) & (three.score >= score)).any()
    assert (three.stages[:, 2] >= 0).any()


def test_the_best_pairs_are_those_on_the_front() -> None:
    table = random_table(6, 60, 1)
    pairs = all_pairs(table, range(6), range(6), none)
    front = pairs.drafts.undominated
    two = front.stages[front.stages[:, 1] >= 0][:, :2].tolist()
    best = pairs.ranked[: len({tuple(one) for one in two})].tolist()
    assert {tuple(one) for one in best} == {tuple(one) for one in two}


def test_agreement_needs_a_first_stage_of_two_outputs() -> None:
    table = random_table(5, 40, kind="agreement")
    drafts = search_drafts(table, range(5), 3)
    check(table, drafts)
    two = drafts.stages[drafts.stages[:, 1] >= 0]
    assert set(two[:, 0].tolist()) <= {0, 2, 4}


def test_of_equal_ones_the_first_is_kept() -> None:
    kept = undominated(np.array([1.0, 1, 2, 2]), np.array([0.5, 0.5, 0.4, 0.6]))
    assert kept.tolist() == [True, False, False, True]
