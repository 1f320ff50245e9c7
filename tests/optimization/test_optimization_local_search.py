"""Climbs end where no single change is better, and begin anew."""

import numpy as np

from netstitch.optimization import (
    Evaluation,
    Genotype,
    Objective,
    Problem,
    SearchSettings,
    SerialExecutor,
    run_search,
)
from netstitch.optimization.algorithms.algorithm import Setup
from netstitch.optimization.algorithms.local_search import LocalSearch
from netstitch.optimization.archive import Archive
from netstitch.optimization.operators.initialisation import Initialisation
from netstitch.optimization.problem import Solution

PROBLEM = Problem((2, 3, 1, 4), (Objective("cost"),))


def cost(genotype: Genotype) -> tuple[float, ...]:
    """One valley, reached from everywhere by changes of single variables."""
    return (float(np.abs(genotype - np.array([1, 2, 0, 1])).sum()),)


def made() -> LocalSearch:
    return LocalSearch(
        Setup(
            PROBLEM,
            4,
            Initialisation(probability=0.5),
            np.zeros((0, 4), dtype=np.int64),
            Archive(PROBLEM.objectives),
            None,
            np.random.default_rng(0),
        )
    )


def test_a_climb_tries_neighbours_and_ends_where_none_is_better() -> None:
    search = made()
    search.receive(0, first := Solution(search.propose(0), (9.0,)), False)
    search._setup.archive.add(first)
    seen: set[bytes] = set()
    while True:
        member = search.population.members[0]
        assert member is not None
        genotype = search.propose(0)
        changed = int((genotype != member.genotype).sum())
        if search._begins[0]:
            break
        assert changed == 1
        value = cost(genotype)
        if member.objectives is not None and value < member.objectives:
            seen.clear()
        seen.add(genotype.tobytes())
        entered = search._setup.archive.add(Solution(genotype, value))
        search.receive(0, Solution(genotype, value), entered)
    assert cost(member.genotype) == (0.0,)
    assert len(seen) >= 1 + 2 + 0 + 3  # every neighbour of where it ended
    search.receive(0, Solution(genotype, cost(genotype)), False)
    begun = search.population.members[0]
    assert begun is not None
    assert begun.genotype is genotype  # also where it is worse than what was found before


def test_all_is_found_that_single_changes_lead_to() -> None:
    records: list[Evaluation] = []
    result = run_search(
        PROBLEM,
        SerialExecutor(cost),
        SearchSettings(evaluations=400, algorithm="local-search", population=4),
        on_evaluation=records.append,
        seed=0,
    )
    assert [s.objectives for s in result.archive] == [(0.0,)]
    assert len(records) == 2 * 3 * 4  # beginning anew reaches everything
