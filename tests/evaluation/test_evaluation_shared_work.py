"""Genotypes that share their work are told from others without running them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_examples import random_genotype, random_supernet, seeds

from netstitch.evaluation.runtime.schedule import Schedule
from netstitch.evaluation.runtime.shared_work import SharedWork, work_behind
from netstitch.networks.graph import Graph, Node, Ref


def work(schedule: Schedule, genotypes: list[np.ndarray]) -> int:
    """Operations of what some genotypes compute together."""
    nodes = [node for fragment in schedule.fragments.every for node in fragment.graph.nodes]
    works = {node.name: node.multiply_adds + node.elementwise for node in nodes}
    each = [one.names[one.inputs :] for one in schedule.plan(genotypes).interpreters]
    return sum(works[name] for names in each for name in names)


def test_work_behind_a_node_is_what_depends_on_it() -> None:
    nodes = (
        Node("input", "input"),
        Node("a", "op", (Ref("input"),), multiply_adds=6),
        Node("b", "op", (Ref("a"),), multiply_adds=1, elementwise=1),
        Node("c", "op", (Ref("input"),), multiply_adds=4),
        Node("d", "op", (Ref("b"), Ref("c")), multiply_adds=8),
    )
    behind = work_behind(Graph(nodes, ((None, "d"),)))
    assert behind == pytest.approx({"input": 1.0, "a": 0.5, "b": 0.4, "c": 0.4, "d": 0.0})


@given(seeds, st.integers(1, 12), st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_some_are_chosen_the_oldest_first(seed: int, waiting: int, count: int) -> None:
    supernet = random_supernet(seed)
    genotypes = [random_genotype(supernet, seed + index) for index in range(waiting)]
    chosen = SharedWork(supernet)(genotypes, count)
    assert chosen[0] == 0
    assert len(chosen) == min(waiting, count)
    assert chosen == sorted(set(chosen))
    assert chosen[-1] < waiting


@given(seeds, st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_of_equal_subnetworks_and_others_the_equal_ones_go_together(seed: int, at: int) -> None:
    supernet = random_supernet(seed, most=7)
    genotypes = [random_genotype(supernet, seed + index) for index in range(6)]
    twin = genotypes[0].copy()
    idle = np.flatnonzero(~supernet.wiring.active(twin))
    twin[idle] = 0  # what is not active does not count
    genotypes[at] = twin
    chosen = SharedWork(supernet)(genotypes, 2)
    schedule = Schedule(supernet, supernet.tensors())
    alone = work(schedule, [genotypes[0]])
    assert work(schedule, [genotypes[index] for index in chosen]) == alone


def test_families_are_computed_with_less_work_than_in_the_order_of_asking() -> None:
    """Children of four parents, in turn, as a search with many slots proposes them."""
    together, in_order = 0, 0
    for seed in range(20):
        supernet = random_supernet(seed, most=7)
        random = np.random.default_rng(seed)
        parents = [random_genotype(supernet, seed + index) for index in range(4)]
        genotypes = []
        for child in range(16):
            genotype = parents[child % 4].copy()
            genotype[-1] = supernet.cardinalities[-1] - 1
            changed = int(random.integers(len(genotype)))
            genotype[changed] = random.integers(supernet.cardinalities[changed])
            genotypes.append(genotype)
        schedule, kinship = Schedule(supernet, supernet.tensors()), SharedWork(supernet)
        for at in range(0, 16, 4):
            in_order += work(schedule, genotypes[at : at + 4])
        while genotypes:
            chosen = kinship(genotypes, 4)
            together += work(schedule, [genotypes[index] for index in chosen])
            genotypes = [one for index, one in enumerate(genotypes) if index not in chosen]
    assert together < 0.9 * in_order
