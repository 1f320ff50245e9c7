"""Tensors that stages of a cascade share are those that a supernet counts once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_supernets import small_supernet, three_networks

from netstitch.costs import MULTIPLY_ADDS
from netstitch.stitching.distinct_tensors import computed_tensors, multiply_adds_of
from netstitch.stitching.exit import Exit
from netstitch.stitching.sections import stage_compositions
from netstitch.stitching.subnetwork_drawing import drawing
from netstitch.stitching.wording import stage_in_words
from netstitch.supernet.supernet import Supernet

TWO, THREE = small_supernet(), three_networks()


@pytest.mark.parametrize("supernet", [TWO, THREE], ids=["two", "three"])
@given(seed=st.integers(0, 2**32))
def test_multiply_adds_of_several_are_those_of_the_cost(supernet: Supernet, seed: int) -> None:
    genotypes = np.random.default_rng(seed).integers(0, [supernet.cardinalities] * 3)
    together = MULTIPLY_ADDS.together(supernet, list(genotypes))
    assert multiply_adds_of(supernet.structure, list(genotypes)) == together


@given(seed=st.integers(0, 2**32))
def test_what_is_new_in_a_stage_is_what_it_costs_beyond_the_first(seed: int) -> None:
    first, second = np.random.default_rng(seed).integers(0, [THREE.cardinalities] * 2)
    stage, then = stage_compositions(THREE.structure, [first, second])
    assert not any(section.reused for section in stage.sections)
    new = sum(section.multiply_adds for section in then.sections if not section.reused)
    stitches = {edge.stitch for edge in then.edges if not edge.reused}
    new += sum(THREE.stitches[index].multiply_adds for index in stitches)
    both = MULTIPLY_ADDS.together(THREE, [first, second])
    assert new == both - MULTIPLY_ADDS.together(THREE, [first])


def test_an_exit_is_the_beginning_of_its_network_and_the_ensemble_reuses_it() -> None:
    point = TWO.structure.graphs[0].points[4].name
    exit, ensemble = Exit(0, (point,)), TWO.genotype("ensemble")
    early, whole = stage_compositions(TWO.structure, [exit, ensemble])
    (section,) = early.sections
    assert early.output == f"exit wide {point}"
    assert (section.network, section.begins, section.gives_output) == (0, 0, True)
    assert 0 < section.ends < 1
    reused = [part for part in whole.sections if part.reused]
    assert [(part.network, part.begins, part.ends) for part in reused] == [(0, 0, section.ends)]
    assert {part.network for part in whole.sections if not part.reused} == {0, 1}
    assert stage_in_words(early, TWO.names, first=True) == "computes wide up to first"
    words = stage_in_words(whole, TWO.names, first=False)
    assert words == "adds deep and wide from norm; reuses wide up to first"


def test_what_is_reused_is_pale() -> None:
    exit, ensemble = Exit(0, (TWO.structure.graphs[0].points[4].name,)), TWO.genotype("ensemble")
    early, whole = stage_compositions(TWO.structure, [exit, ensemble])
    assert "pale" not in drawing(early, TWO.names, {})
    assert ">exit<" in drawing(early, TWO.names, {})
    assert drawing(whole, TWO.names, {}).count("network-0 pale") == 1
    assert "computed before" in drawing(whole, TWO.names, {})


def test_a_layer_behind_a_stitch_is_another_one() -> None:
    stitched = TWO.genotype("wide")
    stitched[:-1] = 1
    numbers: dict = {}
    plain = computed_tensors(TWO.structure, TWO.genotype("wide"), numbers)
    other = computed_tensors(TWO.structure, stitched, numbers)
    (end,) = plain.ends
    assert plain.nodes[end] != other.nodes[end]
    again = computed_tensors(TWO.structure, stitched, numbers)
    assert again.nodes == other.nodes
