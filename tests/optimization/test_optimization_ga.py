"""The genetic algorithm, asked and told by hand."""

from collections import Counter
from typing import Any

import numpy as np
from optimization_cases import ACCURACY_MACS

from netstitch.optimization import Archive, Genotype, Initialisation, Problem, Setup, Solution
from netstitch.optimization.algorithms.ga import GeneticAlgorithm
from netstitch.optimization.operators.scalarisation import Scale

SLOTS, LENGTH = 6, 60
FIRST = np.repeat(np.arange(SLOTS)[:, None], LENGTH, axis=1)
"""All variables of a first genotype are its slot's number, so offspring show their parents."""


def genetic_algorithm(seed: int = 0, **settings: Any) -> GeneticAlgorithm:
    problem = Problem((SLOTS,) * LENGTH, ACCURACY_MACS)
    archive = Archive(problem.objectives)
    generator = np.random.default_rng(seed)
    setup = Setup(problem, SLOTS, Initialisation(), FIRST, archive, None, generator)
    return GeneticAlgorithm(setup, mutation_rate=0.0, **settings)


def tell(ga: GeneticAlgorithm, slot: int, genotype: Genotype, *objectives: float) -> None:
    ga.receive(slot, Solution(genotype, objectives), False)


def started(seed: int = 0, **settings: Any) -> GeneticAlgorithm:
    """All first genotypes are evaluated: the higher the slot, the better and the dearer."""
    ga = genetic_algorithm(seed, **settings)
    for slot in range(SLOTS):
        genotype = ga.propose(slot)
        assert genotype.tolist() == FIRST[slot].tolist()
        tell(ga, slot, genotype, 0.1 * slot, 10.0 * slot)
    return ga


def members(ga: GeneticAlgorithm) -> list[list[int]]:
    return [member.genotype.tolist() for member in ga.population.members if member is not None]


def test_every_slot_is_a_parent_equally_often() -> None:
    ga = started()
    children = [ga.propose(slot) for slot in range(SLOTS)]
    parents = Counter(value for child in children for value in set(child.tolist()))
    assert parents == dict.fromkeys(range(SLOTS), 2)


def test_a_better_offspring_replaces_one_of_its_parents() -> None:
    for slot in range(SLOTS):
        ga = started(slot, ties_replace=True)
        before = members(ga)
        child = ga.propose(slot)
        tell(ga, slot, child, 1.0, 0.0)
        replaced = [i for i, member in enumerate(members(ga)) if member != before[i]]
        assert len(replaced) == 1
        assert replaced[0] in child
        assert members(ga)[replaced[0]] == child.tolist()


def test_either_parent_may_be_replaced() -> None:
    first = []
    for seed in range(40):
        ga = started(seed, ties_replace=True)  # both parents may be the best at their own weights
        before = members(ga)
        child = ga.propose(0)
        tell(ga, 0, child, 1.0, 0.0)
        replaced = next(i for i, member in enumerate(members(ga)) if member != before[i])
        first.append(replaced == child[0])  # the first parent's, unless the segment starts there
    assert 8 < sum(first) < 32


def test_parents_are_two_different_slots() -> None:
    ga = genetic_algorithm()
    ready = range(SLOTS - 1)  # an odd number, so that pairs reach over the end of the order
    for slot in ready:
        tell(ga, slot, ga.propose(slot), 0.1 * slot, 10.0 * slot)
    for turn in range(60):
        child = ga.propose(turn % len(ready))
        assert len(set(child.tolist())) == 2
        ga.receive(turn % len(ready), Solution(child, None), False)


def test_a_worse_offspring_is_dropped() -> None:
    ga = started(ties_replace=True)
    before = members(ga)
    tell(ga, 2, ga.propose(2), 0.0, 99.0)
    ga.receive(3, Solution(ga.propose(3), None), False)
    assert members(ga) == before


def test_offspring_are_made_of_those_that_are_evaluated() -> None:
    ga = genetic_algorithm()
    for slot in (4, 1):
        tell(ga, slot, ga.propose(slot), 0.5, 10.0 * slot)
        child = ga.propose(slot)
        assert set(child.tolist()) <= {4, 1}
        tell(ga, slot, child, 0.0, 99.0)


def test_scale_and_weights_are_set_anew_after_every_n_results() -> None:
    ga = started()
    seen = []
    for turn in range(2 * SLOTS):
        slot = turn % SLOTS
        tell(ga, slot, ga.propose(slot), 1.0 + turn, -1.0 - turn)
        expected = Scale.of(ga.population.costs)
        seen.append(bool((ga.population.scale.least == expected.least).all()))
    assert [turn + 1 for turn, fresh in enumerate(seen) if fresh] == [SLOTS, 2 * SLOTS]
