"""A report describes the subnetwork that the supernet runs."""

import copy
import io
from html import escape

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_supernets import small_supernet, three_networks
from torch import nn

from netstitch.matching import match
from netstitch.networks import capture
from netstitch.networks.graph import INPUT, WEIGHT
from netstitch.stitching.exit import Exit
from netstitch.stitching.sections import composition, stage_compositions
from netstitch.stitching.subnetwork_drawing import drawing
from netstitch.stitching.wording import in_words, span_of
from netstitch.supernet.supernet import Supernet

TWO, THREE = small_supernet(), three_networks()


def random_genotype(supernet: Supernet, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, supernet.cardinalities)


@pytest.mark.parametrize("supernet", [TWO, THREE], ids=["two", "three"])
@given(seed=st.integers(0, 2**32))
def test_stitches_and_multiply_adds_are_those_of_the_supernet(
    supernet: Supernet, seed: int
) -> None:
    genotype = random_genotype(supernet, seed)
    found = composition(supernet.structure, genotype)
    stitches = {edge.stitch for edge in found.edges}
    assert stitches == set(supernet.active_stitches(genotype))
    assert found.multiply_adds == supernet.macs(genotype)
    assert found.output == supernet.outputs[genotype[-1]]


@pytest.mark.parametrize("supernet", [TWO, THREE], ids=["two", "three"])
@given(seed=st.integers(0, 2**32))
def test_each_node_of_the_subnetwork_is_in_one_part(supernet: Supernet, seed: int) -> None:
    """The slow way: the nodes of the assembled graph, joined wherever one reads another."""
    genotype = random_genotype(supernet, seed)
    graph = supernet.pruned_graph(genotype)
    own = [
        node
        for node in graph.nodes
        if node.operation not in (INPUT, WEIGHT) and not node.path.startswith(("stitch", "ens"))
    ]
    kept = {node.name for node in own}
    groups = [{node.name} for node in own]
    for node in own:
        joined = [g for g in groups if g & {node.name, *(set(node.inputs) & kept)}]
        groups = [g for g in groups if g not in joined] + [set().union(*joined)]
    assert len(composition(supernet.structure, genotype).sections) == len(groups)


def test_a_network_alone_is_one_part() -> None:
    found = composition(TWO.structure, TWO.genotype("wide"))
    (part,) = found.sections
    assert (part.begins, part.ends, part.reads_input, part.gives_output) == (0, 1, True, True)
    assert in_words(found, TWO.names) == "wide"


def test_the_ensemble_is_both() -> None:
    found = composition(TWO.structure, TWO.genotype("ensemble"))
    assert len(found.sections) == 2
    assert in_words(found, TWO.names) == "wide and deep; the outputs averaged"


def test_one_stitch_in_words() -> None:
    """The second network's rest reads the first network's beginning."""
    stitch = next(
        index
        for index, switch in enumerate(TWO.switches)
        if switch.place.network == 1 and "second" in switch.place.point
    )
    found = composition(TWO.structure, TWO.genotype("deep", [stitch]))
    first, second = found.sections
    assert (first.network, second.network) == (0, 1)
    assert (first.reads_input, second.reads_input) == (True, False)
    words = in_words(found, TWO.names)
    assert words.startswith("wide up to ")
    assert ", then deep from " in words


def test_a_section_does_not_begin_where_the_size_of_the_batch_is_read() -> None:
    """Every reshape reads it of the input, however late in the network it stands."""
    body = [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    model = nn.Sequential(*body, nn.Flatten(), nn.Linear(4, 3))
    example = torch.randn(2, 3, 8, 8)
    a, b = (capture(copy.deepcopy(model).eval(), example, name=name) for name in ("a", "b"))
    supernet = Supernet([a, b], match(a, b, points="all"))
    point = supernet.structure.graphs[0].points[1].name
    _, second = stage_compositions(supernet.structure, [Exit(0, (point,)), supernet.genotype("a")])
    before, after = sorted(second.sections, key=lambda part: part.begins)
    assert (before.reused, before.begins, before.reads_input) == (True, 0, True)
    assert (after.reused, after.ends, after.reads_input) == (False, 1, False)
    assert after.begins == before.ends > 0.5


@pytest.mark.parametrize(
    "first, last, expected",
    [
        ("layer1.0.conv1", "layer1.0.conv1", "layer1.0.conv1"),
        ("layer1.0.conv1", "layer1.0.bn2", "layer1.0.conv1 to bn2"),
        ("layer1.0.conv1", "layer2.3", "layer1.0.conv1 to layer2.3"),
        ("features", "features.3", "features to 3"),
        ("features.3", "features", "features.3 to features"),
    ],
)
def test_a_span_says_once_what_both_ends_share(first: str, last: str, expected: str) -> None:
    assert span_of(first, last) == expected


@given(seed=st.integers(0, 2**32))
def test_a_drawing_has_an_arrow_for_each_stitch_and_is_well_formed(seed: int) -> None:
    from xml.etree import ElementTree

    genotype = random_genotype(TWO, seed)
    found = composition(TWO.structure, genotype)
    names = ("<script>alert(1)</script>", "b & c")
    root = ElementTree.fromstring(drawing(found, names, {}, 'a "title" <b>'))
    arrows = [each.get("data-stitch") for each in root.iter() if each.get("data-stitch")]
    assert arrows == [str(edge.stitch) for edge in found.edges]
    assert not [each for each in root.iter() if "script" in each.tag]


def test_a_subnetwork_draws_itself_and_holds_nothing_of_it() -> None:
    genotype = random_genotype(TWO, 3)
    module = TWO.subnetwork(genotype)
    html = module._repr_html_()
    words = in_words(composition(TWO.structure, genotype), TWO.names)
    assert html.count("<svg") == 1
    assert escape(words) in html
    assert f"{len(TWO.active_stitches(genotype))} stitch" in html
    other = TWO.subnetwork(TWO.genotype())
    assert other._repr_html_() != html  # each its own
    assert not any("html" in name for name in vars(module))
    buffer = io.BytesIO()
    torch.save(module.state_dict(), buffer)
    copied = copy.deepcopy(module)
    inputs = torch.rand(2, 2, 6, 6)
    assert torch.equal(copied(inputs), module(inputs))
    assert not hasattr(copied, "_repr_html_")  # a copy is a plain module
    stored = io.BytesIO()
    torch.save(module, stored)
    stored.seek(0)
    assert torch.equal(torch.load(stored, weights_only=False)(inputs), module(inputs))
