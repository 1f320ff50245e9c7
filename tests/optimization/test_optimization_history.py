"""Counts of the solutions that were evaluated."""

from typing import Any

import numpy as np
import pytest
from optimization_cases import ACCURACY_MACS, accuracy_and_macs, lotz, parted

from netstitch.optimization import (
    Evaluation,
    Genotype,
    Initialisation,
    Moment,
    Problem,
    SearchResult,
    SearchSettings,
    SerialExecutor,
    run_search,
)
from netstitch.optimization.algorithms.algorithm import Setup
from netstitch.optimization.algorithms.gomea import GenePoolMixing
from netstitch.optimization.linkage.gene_pool import WholePopulation
from netstitch.optimization.linkage.linkage_model import MutualInformation
from netstitch.optimization.search_result import History


def first_half(genotype: Genotype) -> Any:
    """Return the active variables: the first half where the last one is 0."""
    active = np.ones(len(genotype), dtype=np.bool_)
    active[len(genotype) // 2 : -1] = genotype[-1] > 0
    return active


PROBLEM = Problem(
    (3,) * 9,
    ACCURACY_MACS,
    signature=lambda genotype: np.where(first_half(genotype), genotype, 0).tobytes(),
    active=first_half,
)


def search(**more: Any) -> tuple[SearchResult, list[Evaluation]]:
    records: list[Evaluation] = []
    settings, others = parted({"evaluations": 400, "population": 8, "seed": 3, **more})
    executor = SerialExecutor(accuracy_and_macs)
    result = run_search(PROBLEM, executor, settings, on_evaluation=records.append, **others)
    return result, records


def test_moments_hold_the_means_of_what_was_evaluated_since_the_last() -> None:
    result, records = search()
    moments = result.history
    assert len(moments) > 50
    assert moments[-1].evaluated == result.evaluated
    start = 0
    for moment in moments:
        some = [one.genotype for one in records[start : moment.evaluated]]
        start = moment.evaluated
        if not some:
            assert moment.nonzero == moment.active == 0
            continue
        stitches = [(one != 0) & (np.arange(9) < 8) for one in some]
        active = [one & first_half(g) for one, g in zip(stitches, some, strict=True)]
        assert moment.nonzero == pytest.approx(np.mean([one.sum() for one in stitches]))
        assert moment.active == pytest.approx(np.mean([one.sum() for one in active]))
    assert any(moment.active < moment.nonzero for moment in moments)


def test_skipped_ones_are_counted_up_to_each_moment() -> None:
    result, _ = search()
    assert result.skipped > 0
    for moment in result.history:
        # with one worker nothing is under way when a moment ends
        assert moment.used == moment.evaluated + moment.skipped
    used = [moment.used for moment in result.history]
    assert used == sorted(set(used))
    assert (used[-1], result.history[-1].skipped) == (result.used, result.skipped)


class Told(GenePoolMixing):
    """GOMEA that notes each proposal, with the solution that it is a change of."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup, WholePopulation(MutualInformation(np.full(9, 3))))
        self.made: list[tuple[Genotype, Genotype]] = []

    def propose(self, slot: int) -> Genotype | None:
        genotype = super().propose(slot)
        if genotype is not None and (mixing := self._loops[slot]) is not None:
            self.made.append((mixing.solution.genotype, genotype))
        return genotype


def test_proposals_that_change_nothing_active_are_counted_by_themselves() -> None:
    told: list[Told] = []

    def build(setup: Setup) -> Told:
        told.append(Told(setup))
        return told[-1]

    result, records = search(algorithm=build)
    unchanged = sum(
        np.array_equal(origin[first_half(origin)], child[first_half(origin)])
        for origin, child in told[-1].made
    )
    assert 0 < result.unchanged == unchanged < result.skipped
    assert [moment.unchanged for moment in result.history][-1] == unchanged
    assert len(records) + result.skipped == result.used


@pytest.mark.parametrize("algorithm", ["ga", "random"])
def test_what_is_made_from_no_single_solution_is_never_unchanged(algorithm: str) -> None:
    result, _ = search(algorithm=algorithm)
    assert result.skipped > 0 == result.unchanged


def test_without_activity_all_variables_are_active() -> None:
    problem = lotz(12)
    result = run_search(
        problem,
        SerialExecutor(accuracy_and_macs),
        SearchSettings(evaluations=100, population=8),
        initialisation=Initialisation(uniform=()),
        seed=0,
    )
    assert all(moment.active == moment.nonzero for moment in result.history)
    assert result.history[0].nonzero > 0


def test_a_moment_lasts_a_hundredth_of_the_budget_or_one_evaluation_a_slot() -> None:
    for evaluations, slots, interval in ((20_000, 64, 200), (50, 64, 1), (None, 64, 64)):
        history = History(lotz(3), (), evaluations, slots)
        for used in range(1, interval + 1):
            assert not history.moments()
            history.mark(used, (used, 0, 0, 0.0))
        assert [moment.used for moment in history.moments()] == [interval]


def test_variables_left_out_may_be_counted_from_the_end() -> None:
    history = History(lotz(4), (0, -1), None, 1)
    history.see(np.array([1, 1, 0, 1]))
    history.mark(1, (1, 0, 0, 0.0))
    assert history.moments()[0].nonzero == 1


def test_several_moments_may_pass_at_once() -> None:
    history = History(lotz(3), (), evaluations=1_000, slots=1)
    for used in (4, 35, 38, 41):
        history.see(np.array([1, 1, 0]))
        history.mark(used, (1, 0, 0, 0.0))
    assert [moment.used for moment in history.moments()] == [35, 41]
    history.finish(41, (1, 0, 0, 0.0))
    assert history.moments()[-1] == Moment(41, 1, 0, 0, 0.0, 2.0, 2.0)
    assert len(history.moments()) == 2
