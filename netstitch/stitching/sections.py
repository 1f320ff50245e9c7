"""Sections of a subnetwork or a stage: what runs of each network, and the stitches between.

A section is computed of one network without a stitch in between. Trained networks are nearly
chains, so a section is described by where it begins and ends in the order of computation.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from netstitch.networks.counting import spans
from netstitch.networks.graph import INPUT, WEIGHT, Node
from netstitch.networks.operations import KINDS, Kind
from netstitch.stitching.distinct_tensors import (
    ComputedTensors,
    NodeRef,
    Numbers,
    computed_tensors,
)
from netstitch.stitching.exit import Exit
from netstitch.stitching.reachability import Genotype
from netstitch.stitching.stitch import FeatureRef
from netstitch.stitching.structure import Structure


@dataclass(frozen=True)
class Section:
    """Nodes of one network, joined by what they read of one another.

    Attributes:
        network: Index of the network.
        first: Module path of the first node, as `last` of the last one.
        begins: Share of the network's multiply-adds before it, in the order of computation.
        ends: Share up to its end.
        whole_start: It begins with the network's first node.
        whole_end: It ends with the network's last node.
        reused: An earlier stage of the cascade computed it.
    """

    network: int
    first: str
    last: str
    begins: float
    ends: float
    multiply_adds: int
    reads_input: bool
    gives_output: bool
    whole_start: bool
    whole_end: bool
    reused: bool = False


@dataclass(frozen=True)
class StitchEdge:
    """An active stitch between two sections, all by index.

    Attributes:
        at: share of the source network's multiply-adds where it reads.
        to: share of the target network's where its result is read first.
        reused: An earlier stage of the cascade computed its result.
    """

    stitch: int
    source: int
    target: int
    at: float
    to: float
    reused: bool = False


@dataclass(frozen=True)
class Composition:
    """The sections of a subnetwork, in an order of computation, and the stitches between them.

    Attributes:
        output: The output choice, or the name of an exit.
        stitch_multiply_adds: Of all stitches.
        of_exit: An exit, whose linear map is not among the multiply-adds.
    """

    output: str
    sections: tuple[Section, ...]
    edges: tuple[StitchEdge, ...]
    stitch_multiply_adds: int
    of_exit: bool = False

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of the subnetwork for one image."""
        return sum(section.multiply_adds for section in self.sections) + self.stitch_multiply_adds


def composition(structure: Structure, subnetwork: Genotype | Exit) -> Composition:
    """Return the sections and stitches of a genotype's subnetwork, or of an exit."""
    [found] = stage_compositions(structure, [subnetwork])
    return found


def stage_compositions(
    structure: Structure, subnetworks: Sequence[Genotype | Exit]
) -> list[Composition]:
    """Return the sections and stitches of each stage of a cascade.

    Those of which an earlier stage computed the tensors are marked as reused.
    """
    numbers, found = Numbers(), []
    for subnetwork in subnetworks:
        before = len(numbers)
        computed = computed_tensors(structure, subnetwork, numbers)
        made = _composition(structure, computed, before)
        if isinstance(subnetwork, Exit):
            output = f"exit {structure.names[subnetwork.network]} {subnetwork.point}"
            found.append(replace(made, output=output, of_exit=True))
        else:
            found.append(replace(made, output=structure.outputs[int(subnetwork[-1])]))
    return found


def _composition(structure: Structure, computed: ComputedTensors, before: int) -> Composition:
    """Return the sections of what is computed, of which numbers under `before` were earlier."""
    stitches, graphs, made = structure.board.stitches, structure.graphs, computed.made
    nodes = _in_order_of_networks(structure, computed)
    reused = {ref for ref in nodes if computed.nodes[ref] < before}
    groups = _groups(structure, nodes, made, reused)
    group_of = {ref: index for index, group in enumerate(groups) for ref in group}
    reads = [
        (ref, (ref[0], read)) for ref in nodes for read in graphs[ref[0]].by_name[ref[1]].inputs
    ]
    crossings = [(ref, made[read]) for ref, read in reads if read in made]
    links = {(group_of[_node(stitches[i].source)], group_of[ref]) for ref, i in crossings}
    links |= {
        (group_of[read], group_of[ref])
        for ref, read in reads
        if read in reused and ref not in reused and read not in made
    }
    order = _in_order(len(groups), links)
    rank = {group: position for position, group in enumerate(order)}
    shares = [spans(graph) for graph in graphs]
    described = _Described(structure, shares, computed, reused)
    sections = tuple(_section(described, groups[group]) for group in order)
    edges: dict[tuple[int, int], StitchEdge] = {}
    for (network, name), index in crossings:
        source = _node(stitches[index].source)
        start, target = rank[group_of[source]], rank[group_of[network, name]]
        at, to = shares[source[0]][source[1]][1], shares[network][name][0]
        known = computed.stitches[index] < before
        edges.setdefault((index, target), StitchEdge(index, start, target, at, to, known))
    cost = sum(stitches[index].multiply_adds for index in {index for index, _ in edges})
    ordered = tuple(edges[key] for key in sorted(edges))
    return Composition("", sections, ordered, cost)


def _node(point: FeatureRef) -> NodeRef:
    return point.network, point.point


def _in_order_of_networks(structure: Structure, computed: ComputedTensors) -> list[NodeRef]:
    """Return all nodes that run, network by network, in the order of computation."""
    return [
        (index, node.name)
        for index, graph in enumerate(structure.graphs)
        for node in graph.nodes
        if (index, node.name) in computed.nodes and _in_section(node)
    ]


def _in_section(node: Node) -> bool:
    """Return whether a node is in a section: nothing given, and not the size of the batch.

    That is read of the input by every reshape, and would make all sections begin there.
    """
    return node.operation not in (INPUT, WEIGHT) and KINDS[node.operation] is not Kind.SIZE


def _groups(
    structure: Structure,
    computed: Sequence[NodeRef],
    made: Mapping[NodeRef, int],
    reused: Collection[NodeRef],
) -> list[list[NodeRef]]:
    """Return the nodes joined by what they read of one another, but for what stitches make.

    What is reused and what is new are not joined either.
    """
    number = {ref: index for index, ref in enumerate(computed)}
    reads = [
        (index, number[network, read])
        for (network, name), index in number.items()
        for read in structure.graphs[network].by_name[name].inputs
        if (network, read) in number
        and (network, read) not in made
        and ((network, read) in reused) == ((network, name) in reused)
    ]
    rows, columns = np.array(reads, np.int64).reshape(-1, 2).T
    square = (len(computed), len(computed))
    joined = csr_array((np.ones(len(reads), bool), (rows, columns)), shape=square)
    count, labels = connected_components(joined, directed=False)
    groups: list[list[NodeRef]] = [[] for _ in range(count)]
    for ref, label in zip(computed, labels.tolist(), strict=True):
        groups[label].append(ref)
    return groups


def _in_order(count: int, links: Collection[tuple[int, int]]) -> list[int]:
    """Return groups by the longest way of (source, target) links from the input, then by index.

    Two sections may read one another, where both begin before the other's stitch: one of them is
    taken first all the same.
    """
    left, order = list(range(count)), list[int]()
    while left:
        waiting = {target for source, target in links if source in left and source != target}
        for index in [index for index in left if index not in waiting] or left[:1]:
            order.append(index)
            left.remove(index)
    return order


@dataclass(frozen=True)
class _Described:
    """The data that describes sections of one subnetwork; shares are `spans` of each network."""

    structure: Structure
    shares: Sequence[Mapping[str, tuple[float, float]]]
    computed: ComputedTensors
    reused: Collection[NodeRef]


def _section(of: _Described, group: Sequence[NodeRef]) -> Section:
    network = group[0][0]
    graph = of.structure.graphs[network]
    nodes = [graph.by_name[name] for _, name in group]
    own = [node for node in graph.nodes if _in_section(node)]
    first, last = nodes[0], nodes[-1]
    named = [node.path for node in nodes if node.path] or [first.name]
    start = graph.input.name
    from_input = any(start in node.inputs for node in nodes)
    return Section(
        network=network,
        first=named[0],
        last=named[-1],
        begins=of.shares[network][first.name][0],
        ends=of.shares[network][last.name][1],
        multiply_adds=sum(node.multiply_adds for node in nodes),
        reads_input=from_input and (network, start) not in of.computed.made,
        gives_output=any(ref in of.computed.ends for ref in group),
        whole_start=first is own[0],
        whole_end=last is own[-1],
        reused=group[0] in of.reused,
    )
