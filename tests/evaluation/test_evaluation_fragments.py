"""Fragments: every node is in one, and none is computed for the sake of two."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_examples import random_supernet, seeds
from small_supernets import three_networks

from netstitch.evaluation.runtime.fragments import (
    THE_INPUT,
    Fragment,
    Fragments,
    content,
    make_fragments,
)
from netstitch.networks.graph import INPUT, WEIGHT, Graph, Node, Ref
from netstitch.supernet.supernet import Supernet


def fragments_of(supernet: Supernet) -> Fragments:
    return make_fragments(supernet)


def needed_nodes(supernet: Supernet) -> set[tuple[int, str]]:
    """Nodes that an output or a point that can be stitched depends on, by walking back."""
    pending = [(i, name) for i, graph in enumerate(supernet.graphs) for _, name in graph.outputs]
    pending += [(switch.place.network, switch.place.point) for switch in supernet.switches]
    pending += [(i, graph.input.name) for i, graph in enumerate(supernet.graphs)]
    found: set[tuple[int, str]] = set()
    while pending:
        network, name = pending.pop()
        node = supernet.graphs[network].by_name[name]
        if (network, name) not in found and node.operation != WEIGHT:
            found.add((network, name))
            pending += [(network, read) for read in node.inputs]
    return found


@settings(deadline=None, max_examples=100)
@given(seeds, st.sampled_from([2, 3]))
def test_every_node_is_in_exactly_one_fragment(seed: int, count: int) -> None:
    supernet = random_supernet(seed, count)
    fragments = fragments_of(supernet).every
    members = [item for fragment in fragments for item in fragment.members]
    assert len(members) == len(set(members))
    needed = needed_nodes(supernet)
    assert set(members) >= needed
    for (
        fragment
    ) in fragments:  # a node that nothing needs is there only where it is the same as others
        nodes = {item: supernet.graphs[item[0]].by_name[item[1]] for item in fragment.members}
        for item in set(fragment.members) - needed:
            alike = {nodes[other].operation for other in set(fragment.members) & needed}
            assert nodes[item].operation in alike


@settings(deadline=None, max_examples=100)
@given(seeds)
def test_what_is_no_root_is_read_in_its_own_fragment_alone(seed: int) -> None:
    supernet = random_supernet(seed)
    fragments = fragments_of(supernet)
    home = {
        item: index for index, fragment in enumerate(fragments.every) for item in fragment.members
    }
    read_through_switches = {(s.place.network, s.place.point) for s in supernet.switches}
    outputs = {(i, name) for i, graph in enumerate(supernet.graphs) for _, name in graph.outputs}
    for network, graph in enumerate(supernet.graphs):
        for node in graph.nodes:
            for read in node.inputs:
                item = (network, read)
                if item not in home or (network, node.name) not in home:
                    continue
                fragment = fragments.every[home[item]]
                last = fragment.graph.nodes[-1]
                assert last is fragment.root
                if item in read_through_switches or item in outputs:
                    assert home[network, node.name] != home[item]
                elif home[network, node.name] != home[item]:
                    assert home[item] in fragments.every[home[network, node.name]].reads


@settings(deadline=None, max_examples=50)
@given(seeds)
def test_reads_are_those_of_the_slots(seed: int) -> None:
    fragments = fragments_of(random_supernet(seed))
    for number, fragment in enumerate(fragments.every):
        if number == THE_INPUT:
            continue
        assert len(fragment.slots) == len(fragment.reads) == len(set(fragment.reads))
        read = {name for node in fragment.graph.nodes for name in node.inputs}
        assert {slot.name for slot in fragment.slots} <= read
        assert fragment.root.operation not in (INPUT, WEIGHT)


def test_what_networks_have_in_common_is_one_fragment() -> None:
    supernet = three_networks()
    fragments = fragments_of(supernet).every
    (prefix,) = [
        fragment for fragment in fragments if fragment.reads == (THE_INPUT,) and fragment.members
    ]
    assert [node.operation for node in prefix.graph.nodes] == [
        "input", "aten.sub.Tensor", "aten.div.Tensor",
    ]  # fmt: skip
    assert {network for network, _ in prefix.members} == {0, 1, 2}
    assert {network for network, _ in fragments[THE_INPUT].members} == {0, 1, 2}


def test_choices_and_results_lead_to_their_fragments() -> None:
    supernet = three_networks()
    fragments = fragments_of(supernet)
    for switch, choices in zip(supernet.switches, fragments.choices, strict=True):
        place = (switch.place.network, switch.place.point)
        assert place in fragments.every[choices[0]].members
        for stitch, choice in zip(switch.stitches[1:], choices[1:], strict=True):
            assert stitch is not None
            source = supernet.stitches[stitch].source
            assert (
                fragments.every[choice].root.multiply_adds
                == supernet.stitches[stitch].multiply_adds
            )
            (read,) = fragments.every[choice].reads
            assert (source.network, source.point) in fragments.every[read].members
    for subset, pairs in zip(supernet.board.outputs, fragments.results, strict=True):
        ((key, fragment),) = pairs
        ends = [
            next(number for number, u in enumerate(fragments.every) if (i, name) in u.members)
            for i in subset
            for _, name in supernet.graphs[i].outputs
        ]
        assert key is None
        assert (
            [fragment] == ends
            if len(subset) == 1
            else list(fragments.every[fragment].reads) == ends
        )


def fragment_of(*rows: tuple[str, str, tuple[object, ...]], slots: int = 1) -> Fragment:
    nodes = [Node(f"x{index}", INPUT, shape=("batch", 2)) for index in range(slots)]
    nodes += [
        Node(name, operation, args, path=f"{name}.w" if operation == WEIGHT else "")  # type: ignore[arg-type]
        for name, operation, args in rows
    ]
    return Fragment(Graph(tuple(nodes), ((None, rows[-1][0]),)), tuple(range(slots)))


@pytest.mark.parametrize(
    "other",
    [
        fragment_of(("b", "aten.add.Tensor", (Ref("x0"), 1.0))),
        fragment_of(("b", "aten.sub.Tensor", (Ref("x0"), 1))),
        fragment_of(("b", "aten.add.Tensor", (Ref("x0"), True))),
        fragment_of(("b", "aten.add.Tensor", (Ref("x0"), Ref("x0")))),
        fragment_of(("b", "aten.add.Tensor", (Ref("x0"), Ref("x1"))), slots=2),
        fragment_of(("w", WEIGHT, ()), ("b", "aten.add.Tensor", (Ref("x0"), Ref("w")))),
        fragment_of(("v", WEIGHT, ()), ("b", "aten.add.Tensor", (Ref("x0"), Ref("v")))),
    ],
)
def test_content_is_operations_arguments_and_weights(other: Fragment) -> None:
    one = fragment_of(("a", "aten.add.Tensor", (Ref("x0"), 1)))
    assert content(one) == content(fragment_of(("other", "aten.add.Tensor", (Ref("x0"), 1))))
    assert content(one) != content(other)
    weighted = fragment_of(("w", WEIGHT, ()), ("b", "aten.add.Tensor", (Ref("x0"), Ref("w"))))
    same = [node.path for node in other.graph.nodes if node.operation == WEIGHT] == ["w.w"]
    assert (content(weighted) == content(other)) == same
