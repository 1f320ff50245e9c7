"""The networks with one stitch that a search begins with."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_supernets import small_supernet, three_networks

from netstitch.events import ignore
from netstitch.experiments.run_settings import PAPER, replaced
from netstitch.optimization import ALGORITHMS, Evaluation, Genotype, SerialExecutor
from netstitch.optimization.executors.executor import Executor
from netstitch.searching.first_networks import (
    MUCH,
    SingleStitchNetwork,
    first_networks,
    in_turn,
    single_stitch_networks,
    spread,
)
from netstitch.searching.search_progress import ResultRecorded
from netstitch.searching.supernet_search_settings import SupernetSearchSettings
from netstitch.searching.sweep import SupernetSearch, search_sizes
from netstitch.supernet.supernet import Supernet


def made(depth: float, saved: float) -> SingleStitchNetwork:
    return SingleStitchNetwork(np.array([0]), depth, saved, (0, 1))


def listed(supernet: Supernet) -> list[list[int]]:
    return [one.tolist() for one in first_networks(supernet, supernet.macs)]


def test_there_is_one_for_each_signature_with_one_stitch() -> None:
    """The genotypes of three networks that depend on one stitch alone, among all."""
    supernet = three_networks()
    expected = set()
    for genotype in product(*map(range, supernet.cardinalities)):
        values = np.array(genotype)
        if np.count_nonzero((values * supernet.active(values))[:-1]) == 1:
            expected.add(supernet.signature(values))
    found = [
        supernet.signature(one.genotype) for one in single_stitch_networks(supernet, supernet.macs)
    ]
    assert len(found) == len(set(found))
    assert set(found) == expected


@pytest.mark.parametrize("supernet", [small_supernet(), three_networks()], ids=["two", "three"])
def test_all_save_something_and_those_that_save_much_come_first(supernet: Supernet) -> None:
    references = supernet.references().values()
    alone = {output[0]: i for i, output in enumerate(supernet.board.outputs) if len(output) == 1}

    def saved(genotype: Genotype) -> float:
        (number,) = supernet.active_stitches(genotype)
        source = list(references)[alone[supernet.stitches[number].source.network]]
        own = supernet.genotype(int(genotype[-1]))
        return 1 - supernet.macs(genotype) / max(supernet.macs(own), supernet.macs(source))

    everything = [one.genotype for one in single_stitch_networks(supernet, supernet.macs)]
    found = first_networks(supernet, supernet.macs)
    shares = [saved(one) for one in found]
    assert sorted(shares) == sorted(share for one in everything if (share := saved(one)) > 0)
    assert 0 < len(found) < len(everything)
    much = [share >= MUCH for share in shares]
    assert much == sorted(much, reverse=True)


def test_depths_are_shares_of_the_target_network() -> None:
    supernet = small_supernet()
    for one in single_stitch_networks(supernet, supernet.macs):
        (number,) = supernet.active_stitches(one.genotype)
        target = supernet.stitches[number].target
        nodes = supernet.graphs[target.network].nodes
        names = [node.name for node in nodes]
        before = nodes[: names.index(target.point) + 1]
        costs = [sum(node.multiply_adds for node in part) for part in (before, nodes)]
        assert one.depth == pytest.approx(costs[0] / costs[1])


POINTS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=30)


@given(points=POINTS)
def test_every_beginning_is_spread_evenly(points: list[tuple[float, float]]) -> None:
    """None of a beginning is nearer to another one than what is left out is to the nearest."""
    order = spread([made(*point) for point in points])
    rows = np.array([(one.depth, one.saved) for one in order]).reshape(-1, 2)
    assert sorted(map(tuple, rows.tolist())) == sorted(points)
    if not points:
        return
    extent = np.ptp(rows, axis=0)
    rows = (rows - rows.min(axis=0)) / np.where(extent > 0, extent, 1.0)
    for count in range(2, len(rows)):
        begun, left = rows[:count], rows[count:]
        apart = min(np.linalg.norm(begun[i] - begun[j]) for i in range(count) for j in range(i))
        farthest = max(np.linalg.norm(begun - one, axis=1).min() for one in left)
        assert apart >= farthest - 1e-9


@given(points=POINTS)
def test_each_is_the_farthest_from_all_before_it(points: list[tuple[float, float]]) -> None:
    order = [(one.depth, one.saved) for one in spread([made(*point) for point in points])]
    if not points:
        assert order == []
        return
    least, most = np.min(points, axis=0), np.max(points, axis=0)
    extent = np.where(most > least, most - least, 1.0)
    places = (np.array(order) - least) / extent
    distances = ((places - 0.5) ** 2).sum(axis=1)
    assert distances[0] == pytest.approx(distances.min())
    for count in range(1, len(order)):
        nearest = [min(np.linalg.norm(places[:count] - one, axis=1)) for one in places[count:]]
        assert nearest[0] == pytest.approx(max(nearest))


DEPTHS = st.lists(st.sampled_from([0.2, 0.5, 0.9, 1.0]), max_size=6)


@given(depths=st.dictionaries(st.sampled_from([(0, 1), (0, 2), (1, 2)]), DEPTHS))
def test_pairs_of_networks_take_turns_the_deepest_first(
    depths: dict[tuple[int, int], list[float]],
) -> None:
    """Each pair's own networks stay in their order, and every round begins with deep pairs."""
    pairs = {
        pair: [replace(made(x, x), networks=pair) for x in own] for pair, own in depths.items()
    }
    found = in_turn([one for own in pairs.values() for one in own])
    for pair, own in pairs.items():
        assert [one for one in found if one.networks == pair] == spread(own)
    ranked = sorted(pairs, key=lambda pair: sorted(depths[pair])[::-1], reverse=True)
    expected = [
        sorted(depths[pair])[::-1]
        for turn in range(6)
        for pair in ranked
        if len(depths[pair]) > turn
    ]
    assert [sorted(depths[one.networks])[::-1] for one in found] == expected


def test_a_short_beginning_has_all_pairs_of_three_networks() -> None:
    supernet = three_networks()
    found = first_networks(supernet, supernet.macs)
    pairs = []
    for genotype in found:
        (number,) = supernet.active_stitches(genotype)
        stitch = supernet.stitches[number]
        pairs.append(frozenset({stitch.source.network, stitch.target.network}))
    assert len({*pairs}) > 1
    assert {*pairs[: len({*pairs})]} == {*pairs}


def search(
    supernet: Supernet, executor: Executor | None = None, **settings: Any
) -> list[Evaluation]:
    told: list[Evaluation] = []

    def listener(event: object) -> None:
        if isinstance(event, ResultRecorded):
            told.append(event.evaluation)

    asked = SupernetSearchSettings(**{"evaluations": 80, "population": 8, **settings})
    problem = SupernetSearch(supernet, asked, seed=1, floor=0.0)
    executor = executor or SerialExecutor(lambda one: (abs(np.sin(one.sum())), supernet.macs(one)))
    search_sizes(problem, executor, ordered=True, record=None, listener=listener or ignore)
    return told


def genotypes(told: list[Evaluation]) -> list[list[int]]:
    return [one.genotype.tolist() for one in told]


@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - {"random"}))
def test_references_come_first_then_these_up_to_their_share(algorithm: str) -> None:
    supernet = small_supernet()
    references = [one.tolist() for one in supernet.references().values()]
    expected = [*references, *listed(supernet)]
    assert len(expected) > 16
    found = genotypes(search(supernet, algorithm=algorithm, first_networks=0.2))
    assert found[:16] == expected[:16]
    assert found[16] != expected[16]


def test_references_are_evaluated_whatever_the_share() -> None:
    supernet = small_supernet()
    references = [one.tolist() for one in supernet.references().values()]
    found = genotypes(search(supernet, first_networks=0.01))
    assert found[: len(references)] == references
    assert found[len(references)] != listed(supernet)[0]


@pytest.mark.parametrize(
    "settings",
    [{"algorithm": "random"}, {"references": "apart"}],
    ids=["random search", "references apart"],
)
def test_there_are_none(settings: dict[str, Any]) -> None:
    supernet = small_supernet()
    found = search(supernet, first_networks=0.5, **settings)
    assert genotypes(found) == genotypes(search(supernet, first_networks=0.0, **settings))


def test_there_are_none_in_the_procedure_of_the_paper() -> None:
    search_table = replaced({"search": {"first_networks": 0.5}}, PAPER)["search"]
    assert (search_table["first_networks"], search_table["references"]) == (0.0, "apart")


def test_sizes_of_a_sweep_know_those_of_the_others() -> None:
    supernet = small_supernet()
    evaluated: list[tuple[int, ...]] = []

    def evaluate(genotype: Genotype) -> tuple[float, float]:
        evaluated.append(tuple(genotype.tolist()))
        return abs(np.sin(genotype.sum())), float(supernet.macs(genotype))

    settings = {
        "algorithm": "ga",
        "evaluations": 300,
        "population": "sweep",
        "first_networks": 0.1,
    }
    told = search(supernet, SerialExecutor(evaluate), **settings)
    expected = [*map(tuple, genotypes(told)[:30])]
    assert [one.ordinal for one in told].count(1) == 2  # 128 and 256
    second = next(i for i, one in enumerate(told[1:], start=1) if one.ordinal == 1)
    assert [*map(tuple, genotypes(told)[second : second + 30])] == expected
    assert all(evaluated.count(one) == 1 for one in expected)
