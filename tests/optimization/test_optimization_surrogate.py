"""The search by a surrogate: its proposals, its learning, and better fronts for less."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimization_cases import ACCURACY_MACS, lotz

from netstitch.errors import SearchError
from netstitch.optimization import (
    Archive,
    Genotype,
    Initialisation,
    Objective,
    Problem,
    SearchSettings,
    SerialExecutor,
    Setup,
    Solution,
    run_search,
)
from netstitch.optimization.algorithms.surrogate import DRAWN, SurrogateSearch
from netstitch.optimization.linear_surrogate.linear_model import AT_ONCE, LinearModel

LENGTH = 30
LOSSES = np.random.default_rng(3).exponential(0.03, LENGTH)
SAVINGS = np.random.default_rng(4).uniform(0.0, 2.0, LENGTH)
Known = Mapping[Hashable, Solution]


def cost_of(genotype: Genotype) -> float:
    """Return what is left of a cost that some values save from."""
    return float(100 - SAVINGS @ genotype)


def accuracy_of(genotype: Genotype) -> float:
    """Return 0.95 less what values lose, more the more there are."""
    lost = float(LOSSES @ genotype)
    return max(0.0, 0.95 - lost - 0.2 * lost**2)


def evaluate(genotype: Genotype) -> tuple[float, float]:
    return accuracy_of(genotype), cost_of(genotype)


def point(_: Known) -> tuple[float, ...]:
    return 0.7, 110.0


def problem(computed: bool = True) -> Problem:
    known = {"macs": cost_of} if computed else {}
    return Problem((2,) * LENGTH, ACCURACY_MACS, computed=known)


def setup(
    of: Problem,
    known: list[Solution] | None = None,
    reference_point: Callable[[Known], tuple[float, ...] | None] | None = point,
) -> Setup:
    archive = Archive(of.objectives)
    for solution in known or ():
        archive.add(solution)
    return Setup(
        of,
        8,
        Initialisation(uniform=()),
        np.zeros((1, of.length), np.int64),
        archive,
        None,
        np.random.default_rng(0),
        known=known or (),
        reference_point=reference_point,
    )


def solution(genotype: Genotype) -> Solution:
    return Solution(genotype, evaluate(genotype))


def single(index: int) -> Genotype:
    return np.eye(LENGTH, dtype=np.int64)[index]


def volume(algorithm: str, seed: int, evaluations: int) -> float:
    found = run_search(
        problem(),
        SerialExecutor(evaluate),
        SearchSettings(algorithm=algorithm, population=32, evaluations=evaluations),
        seed=seed,
        initial=[np.zeros(LENGTH, np.int64)],
        initialisation=Initialisation(uniform=()),
        reference_point=point,
    )
    return hypervolume_of([one.objectives for one in found.archive])


def hypervolume_of(rows: Sequence[tuple[float, ...] | None]) -> float:
    given = [one for one in rows if one is not None]
    return float(moocore.hypervolume(given, ref=point({}), maximise=[True, False]))


def test_where_losses_add_up_a_third_of_the_budget_finds_more_than_the_genetic_algorithm() -> None:
    ours = [volume("surrogate", seed, 100) for seed in range(3)]
    theirs = [volume("ga", seed, 300) for seed in range(3)]
    assert min(ours) > max(theirs)


def test_first_come_the_initial_genotypes_and_drawn_ones() -> None:
    search = SurrogateSearch(setup(problem()))
    first = [search.propose(0) for _ in range(DRAWN)]
    assert all(one is not None for one in first)
    assert first[0] is not None
    assert not first[0].any()
    assert len({one.tobytes() for one in first if one is not None}) > DRAWN // 2


def test_what_is_known_takes_the_place_of_drawn_genotypes() -> None:
    known = [solution(single(index)) for index in range(LENGTH)]
    search = SurrogateSearch(setup(problem(), known))
    initial, proposed = search.propose(0), search.propose(1)
    assert initial is not None
    assert not initial.any()
    assert proposed is not None
    assert proposed.sum() > 1  # all networks with one value are known


def gain_of(proposed: Sequence[Genotype | None], known: Sequence[Solution]) -> float:
    """Return the mean hypervolume that genotypes add to what is known, each alone."""
    before = [one.objectives for one in known]
    after = [[*before, evaluate(one)] for one in proposed if one is not None]
    return float(np.mean([hypervolume_of(rows) for rows in after]) - hypervolume_of(before))


def test_of_many_candidates_it_proposes_what_adds_most() -> None:
    known = [solution(single(index)) for index in range(LENGTH)]
    known.append(solution(np.zeros(LENGTH, np.int64)))
    chosen, any_one = (
        SurrogateSearch(setup(problem(), known), candidates=count) for count in (256, 1)
    )
    gains = []
    for search in (chosen, any_one):
        search.propose(0)
        gains.append(gain_of([search.propose(slot) for slot in range(1, 8)], known))
    assert gains[0] > 1.7 * gains[1]


def test_under_a_threshold_nothing_is_worth_a_proposal() -> None:
    def searched(threshold: float | None) -> list[float]:
        accuracies = []

        def told(one: Genotype) -> tuple[float, float]:
            accuracies.append(accuracy_of(one))
            return evaluate(one)

        run_search(
            problem(),
            SerialExecutor(told),
            SearchSettings(
                algorithm="surrogate", population=8, evaluations=120, threshold=threshold
            ),
            initial=[np.zeros(LENGTH, np.int64)],
            initialisation=Initialisation(uniform=()),
            reference_point=point,
        )
        return accuracies[60:]

    free, steered = searched(None), searched(0.88)
    over = [float(np.mean([one > 0.88 for one in some])) for some in (free, steered)]
    assert over[0] < 0.6
    assert over[1] > 0.8


def test_no_two_loops_try_the_same() -> None:
    known = [solution(single(index)) for index in range(LENGTH)]
    search = SurrogateSearch(setup(problem(), known))
    proposed = [search.propose(slot) for slot in range(8)]
    assert len({one.tobytes() for one in proposed if one is not None}) == 8


def test_a_proposal_keeps_no_other_candidates() -> None:
    """Else a search of thousands of evaluations would hold all candidates that it ever made."""
    known = [solution(single(index)) for index in range(LENGTH)]
    search = SurrogateSearch(setup(problem(), known))
    proposed = [search.propose(slot) for slot in range(8)]
    assert all(one is not None and one.base is None for one in proposed)


def test_beyond_the_reference_point_no_accuracy_matters() -> None:
    search = SurrogateSearch(setup(problem()))
    assert search.matters(0, Solution(single(0), (0.71, 90.0)))
    assert not search.matters(0, Solution(single(0), (0.7, 90.0)))
    assert SurrogateSearch(setup(problem(), reference_point=None)).matters(
        0, Solution(single(0), (0.1, 90.0))
    )


def test_costs_are_predicted_where_they_are_not_computed() -> None:
    known = [solution(single(index)) for index in range(LENGTH)]
    known.append(solution(np.zeros(LENGTH, np.int64)))
    gains = []
    for count in (256, 1):
        made = setup(problem(computed=False), known, reference_point=point)
        search = SurrogateSearch(made, candidates=count)
        search.propose(0)
        gains.append(gain_of([search.propose(slot) for slot in range(1, 8)], known))
    assert gains[0] > 1.5 * gains[1]


def test_failed_evaluations_are_not_tried_again_and_teach_nothing() -> None:
    small = Problem((2, 2, 2), ACCURACY_MACS)
    asked: list[tuple[int, ...]] = []

    def failing(one: Genotype) -> tuple[float, float]:
        asked.append(tuple(one.tolist()))
        if one[0]:
            raise ValueError("not this one")
        return float(one.sum()), float(one @ [1, 2, 3])

    result = run_search(
        small,
        SerialExecutor(failing),
        SearchSettings(algorithm="surrogate", population=4, evaluations=1_000),
        initialisation=Initialisation(uniform=()),
    )
    assert len(asked) == len(set(asked)) == 8
    assert result.failed == 4


def test_a_space_whose_genotypes_are_all_known_ends_the_search() -> None:
    small = Problem((2, 2, 2), ACCURACY_MACS)
    result = run_search(
        small,
        SerialExecutor(lambda one: (float(one.sum()), float(one @ [1, 2, 3]))),
        SearchSettings(algorithm="surrogate", population=4, evaluations=1_000),
        initialisation=Initialisation(uniform=()),
    )
    assert result.stopped == "converged"
    assert result.evaluated == 8


def test_where_nothing_is_new_it_looks_again_only_when_more_is_known() -> None:
    small = Problem((2, 2, 2), ACCURACY_MACS)
    found = [np.array(one) for one in np.ndindex(2, 2, 2)]
    made = setup(small, [Solution(one, (float(one.sum()), 1.0)) for one in found])
    counted = replace(made, initial=np.zeros((0, 3), np.int64))
    search = SurrogateSearch(counted)
    state = made.generator.bit_generator.state
    assert search.propose(0) is None
    assert made.generator.bit_generator.state != state
    state = made.generator.bit_generator.state
    again = SurrogateSearch(counted)
    again.restore(search.state())
    assert [search.propose(1), again.propose(0)] == [None, None]
    assert made.generator.bit_generator.state == state


def test_other_numbers_of_objectives_are_refused() -> None:
    three = Problem((2, 2), (*ACCURACY_MACS, Objective("memory")))
    with pytest.raises(SearchError, match="'surrogate' is for two objectives, and there are 3"):
        run_search(
            three,
            SerialExecutor(lambda _: (0.0, 0.0, 0.0)),
            SearchSettings(algorithm="surrogate", population=4, evaluations=10),
        )
    with pytest.raises(SearchError, match="candidates is 0: give at least 1"):
        run_search(
            lotz(4),
            SerialExecutor(lambda _: (0.0, 0.0)),
            SearchSettings(
                algorithm="surrogate", population=4, evaluations=10, settings={"candidates": 0}
            ),
        )


@given(st.integers(1, 1_000), st.integers(0, 9))
def test_what_waits_for_others_is_left_out_of_the_model_and_is_little(
    count: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    rows, targets = random.integers(0, 2, (count, 4)).astype(float), random.random((count, 2))
    model, twin = LinearModel(np.ones(4), 0.1), LinearModel(np.ones(4), 0.1)
    for row in rows:
        model.learn(row)
    used = next(one for one in range(count, 0, -1) if one % max(1, count // AT_ONCE) == 0)
    assert used > count * (1 - 1 / AT_ONCE)
    for row in rows[:used]:
        twin.learn(row)
    drawn = model.drawn(targets, np.random.default_rng(1))
    assert drawn.tolist() == twin.drawn(targets[:used], np.random.default_rng(1)).tolist()


def test_where_rows_and_features_are_many_the_last_rows_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("netstitch.optimization.linear_surrogate.linear_model.AT_MOST", 20)
    random = np.random.default_rng(0)
    rows, targets = random.integers(0, 2, (50, 30)).astype(float), random.random((50, 2))
    model, twin = LinearModel(np.ones(30), 0.1), LinearModel(np.ones(30), 0.1)
    for row in rows:
        model.learn(row)
    for row in rows[-20:]:
        twin.learn(row)
    drawn = model.drawn(targets, np.random.default_rng(1))
    assert drawn.tolist() == twin.drawn(targets[-20:], np.random.default_rng(1)).tolist()


def test_initial_genotypes_may_be_more_than_are_under_way() -> None:
    result = run_search(
        problem(),
        SerialExecutor(evaluate),
        SearchSettings(algorithm="surrogate", population=4, evaluations=6),
        initial=[single(index) for index in range(6)],
        initialisation=Initialisation(uniform=()),
    )
    assert result.evaluated == 6
