"""The choice among very many cascades: what an answer counts, and the few that are kept."""

from itertools import combinations
from time import process_time

import numpy as np
import pytest
import torch
from cascades_examples import random_table
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from netstitch.cascades.answers import AnswerRule
from netstitch.cascades.choosing import choose_drafts, thinned
from netstitch.cascades.curves import curve_of
from netstitch.cascades.draft_search import search_drafts
from netstitch.cascades.drafts import Drafts, make_drafts
from netstitch.cascades.stage_costs import SummedCosts
from netstitch.cascades.stage_table import Answers, stage_table
from netstitch.cascades.terms import Stage
from netstitch.stitching.cascade_terms import Term
from netstitch.stitching.subgraph import Averaging
from netstitch.tasks import Classification, Samples


def points(cost: NDArray[np.float64], score: NDArray[np.float64]) -> Drafts:
    count = len(cost)
    return make_drafts(np.arange(count)[:, None], np.zeros((count, 0)), cost, score)


def volume(drafts: Drafts, floor: float, ceiling: float) -> float:
    ends = [*drafts.cost[1:], ceiling]
    return sum(
        (score - floor) * (end - cost)
        for cost, end, score in zip(drafts.cost, ends, drafts.score, strict=True)
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_those_are_kept_that_have_the_most_hypervolume_together(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    drafts = points(random.uniform(1, 9, 9), random.uniform(0.3, 0.9, 9))
    front = drafts.undominated
    front = front.taken(front.score > 0.4)
    kept = thinned(drafts, count, 0.4, 10.0)
    assert (np.diff(kept.cost) > 0).all()
    best = max(
        (
            volume(front.taken(np.array(some)), 0.4, 10.0)
            for some in combinations(range(len(front)), min(count, len(front)))
        ),
        default=0.0,
    )
    assert volume(kept, 0.4, 10.0) == pytest.approx(best)


def test_single_networks_keep_cascades_out_that_they_beat_and_are_none() -> None:
    table = random_table(6, 80, 5, references=(4, 5))
    found = search_drafts(table, range(6), 2)
    kept = choose_drafts(table, found, (4, 5))
    assert (kept.stages[:, 1] >= 0).all()
    for cost, score in zip(kept.cost, kept.score, strict=True):
        assert not ((table.alone.cost <= cost) & (table.alone.score >= score)).any()


def test_an_answer_counts_what_the_best_reference_takes_it_to_be() -> None:
    plain, table = random_table(6, 80, 5), random_table(6, 80, 5, references=(0, 5))
    np.testing.assert_array_equal(plain.right, table.right)
    np.testing.assert_array_equal(plain.score, plain.right)
    np.testing.assert_array_equal(table.by_labels().score, table.right)
    # The best reference is as right as it is sure, and no answer is likelier than its own.
    assert table.right[5].mean() > table.right[0].mean()
    np.testing.assert_allclose(table.score[5], table.confidence[5], rtol=1e-5)
    assert (table.score <= table.score[5] + 1e-6).all()


def test_the_reference_that_judges_is_the_likeliest_not_the_one_that_is_right_most_often() -> None:
    labels = torch.zeros(100, dtype=torch.long)
    often, honest = torch.zeros(100, 2), torch.zeros(100, 2)
    often[:90, 0], often[90:, 1] = 1.0, 1.0  # always as sure, where it is wrong too
    honest[:80, 0], honest[80:, 1] = 9.0, 0.1  # in doubt where it is wrong
    task = Classification(validation=Samples(torch.zeros(100, 1), labels), classes=2)
    terms = Term((0,), 0), Term((1,), 1)
    stages = [Stage((index,), (term,)) for index, term in enumerate(terms)]
    outputs = dict(zip(terms, (often, honest), strict=True))
    rule = AnswerRule(task, "probability", Averaging())
    answers = Answers(stages, outputs, labels, rule, task, references=(0, 1))
    table = stage_table(stages, answers, SummedCosts([{0: 1.0}, {1: 2.0}]))
    np.testing.assert_allclose(table.score[1], table.confidence[1], rtol=1e-5)
    assert table.right.mean(1).tolist() == [0.9, 0.8]
    assert (table.score[0, 90:] > 0.4).all()  # as the honest one doubts these


def test_mean_answers_count_in_the_same_way() -> None:
    table = random_table(6, 80, 5, references=(0, 5))
    answered = table.answer((0, 5), True)
    by_label = table.by_labels().answer((0, 5), True)
    assert answered is not None
    assert by_label is not None
    assert set(by_label[1].tolist()) <= {0.0, 1.0}
    assert 0 < answered[1].min() < answered[1].max() < 1


def test_a_curve_has_the_cascade_itself_and_all_thresholds_in_order() -> None:
    table = random_table(6, 80, 5, references=(4, 5))
    drafts = search_drafts(table, range(6), 3).undominated
    long = np.flatnonzero(drafts.stages[:, 1] >= 0)
    for index in long.tolist():
        rows = curve_of(table, drafts, index)
        thresholds, _, costs = zip(*rows, strict=True)
        assert list(thresholds) == sorted(set(thresholds))
        assert list(costs) == sorted(costs)
        right, left = table.by_labels().outcome(drafts, index)
        [own] = [row for row in rows if row[0] == drafts.thresholds[index, 0]]
        path = drafts.path(index)
        spent = np.cumsum(table.costs.along(path))[left].mean()
        assert own[1:] == pytest.approx((right.mean(), spent))


@pytest.mark.slow
def test_two_hundred_candidates_and_a_thousand_classes_take_less_than_a_minute() -> None:
    started = process_time()
    table = random_table(200, 2_000, references=(198, 199), classes=1_000)
    found = search_drafts(table, range(200), 3)
    assert len(choose_drafts(table, found, (198, 199)))
    assert process_time() - started < 60
