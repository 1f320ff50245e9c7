"""Candidates: which are tried first, and how many of them memory and disk hold."""

import shutil
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from exit_examples import random_weights
from numpy.typing import NDArray
from small_supernets import small_supernet

from netstitch.analysis import Front
from netstitch.cascades.candidates import choose_stages, plain_stages
from netstitch.cascades.evaluated import Evaluated
from netstitch.cascades.term_outputs import fitting_stages
from netstitch.costs import MULTIPLY_ADDS, Cost
from netstitch.errors import SearchError
from netstitch.stitching.exit import Exit
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet

EXITS = [Exit(network, (point,)) for network in (0, 1) for point in ("relu", "relu_1", "relu_2")]


def with_exits() -> Supernet:
    supernet = small_supernet()
    known = [{node.name for node in graph.nodes} for graph in supernet.graphs]
    exits = [one for one in EXITS if one.point in known[one.network]]
    supernet.set_exits(exits, random_weights(supernet, exits))
    return supernet


def searched(supernet: Supernet, scores: list[float]) -> Evaluated:
    random = np.random.default_rng(0)
    shape = (len(scores), len(supernet.cardinalities))
    return Evaluated(random.integers(0, supernet.cardinalities, shape), np.array(scores))


def as_known(genotypes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Score all alike on the samples that first stages are unsure of."""
    return np.full(len(genotypes), 0.5)


def test_references_come_first_then_exits_then_what_was_searched() -> None:
    supernet = with_exits()
    known = searched(supernet, [0.5] * 20)
    stages = choose_stages(supernet, Front(()), known, MULTIPLY_ADDS, 40, as_known)
    plain = plain_stages(supernet, exits=True)
    assert stages[: len(plain)] == plain
    assert len(stages) > len(plain)
    assert choose_stages(supernet, Front(()), known, MULTIPLY_ADDS, 40) == plain


def test_exits_take_half_of_the_room_at_most_and_are_spread_over_costs() -> None:
    supernet = with_exits()
    assert len(supernet.exits) > 2
    stages = choose_stages(
        supernet, Front(()), searched(supernet, [0.5] * 20), MULTIPLY_ADDS, 7, as_known
    )
    exits = [stage.subnetwork for stage in stages if isinstance(stage.subnetwork, Exit)]
    costs = sorted(supernet.macs(one) for one in supernet.exits)
    assert [supernet.macs(one) for one in exits] == [costs[0], costs[-1]]
    assert len(stages) == 7


def test_failed_evaluations_are_no_candidates_and_better_ones_come_first() -> None:
    supernet = small_supernet()
    known = searched(supernet, [np.nan] * 9 + [0.9])
    stages = choose_stages(supernet, Front(()), known, MULTIPLY_ADDS, 40, as_known)
    assert len(stages) == len(plain_stages(supernet, exits=False)) + 1


def test_a_stage_that_adds_little_to_a_reference_is_found_among_dear_ones() -> None:
    """Alone it is beaten by cheap ones as good as it; behind a reference nothing adds less."""
    supernet = small_supernet()
    behind = np.flatnonzero(supernet.active(supernet.genotype("wide"))[:-1])
    late = supernet.genotype("wide", [int(behind[-1])])
    known = Evaluated(np.stack([late] + [supernet.genotype("deep", [0, 1])] * 2), np.full(3, 0.5))
    stages = choose_stages(supernet, Front(()), known, MULTIPLY_ADDS, 40, as_known)
    assert tuple(late.tolist()) in [stage.subnetwork for stage in stages]


def test_second_stages_are_those_that_are_good_where_first_ones_are_unsure() -> None:
    supernet = small_supernet()
    searched_ones = [supernet.genotype(name, [0, 1]) for name in ("deep", "wide", "ensemble")]
    known = Evaluated(np.stack(searched_ones), np.full(3, 0.5))  # as good as one another on all
    plain = plain_stages(supernet, exits=False)
    cheapest = min(searched_ones, key=supernet.macs)
    for best in searched_ones:

        def good(genotypes: NDArray[np.int64], best: Genotype = best) -> NDArray[np.float64]:
            return np.where((genotypes == best).all(1), 0.9, np.nan)  # of others nothing is known

        stages = choose_stages(
            supernet, Front(()), known, MULTIPLY_ADDS, len(plain) + 2, on_unsure=good
        )
        chosen = [stage.subnetwork for stage in stages[len(plain) :]]
        assert chosen[0][-1] == cheapest[-1]
        assert best[-1] in [one[-1] for one in chosen]


class Usage(NamedTuple):
    free: int


def test_what_memory_and_disk_do_not_hold_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = plain_stages(with_exits(), exits=True)
    assert fitting_stages(stages, 10, 10 * len(stages)) == (stages, True)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10_000))
    assert fitting_stages(stages, 10, 1) == (stages, False)
    # Two terms are the basis networks', and the ensemble's are the same two.
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(80))
    assert fitting_stages(stages, 10, 1) == (stages[:5], False)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(20))
    with pytest.raises(SearchError, match="take 20 bytes, and there is room for 10; give fewer"):
        fitting_stages(stages, 10, 1)


def test_costs_without_parts_are_the_same_stages() -> None:
    supernet = with_exits()
    asked = replace(MULTIPLY_ADDS, parts=None)
    assert isinstance(asked, Cost)
    known = searched(supernet, [0.1 * one for one in range(8)])
    stages = [
        choose_stages(supernet, Front(()), known, cost, 12, as_known)
        for cost in (MULTIPLY_ADDS, asked)
    ]
    assert stages[0] == stages[1]
