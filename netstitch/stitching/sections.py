"""Sections of a subnetwork: what runs of each network between stitches, and the stitches.

A section is computed of one network without a stitch in between. Trained networks are nearly
chains, so a section is described by where it begins and ends in the order of computation.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from netstitch.networks.counting import spans
from netstitch.networks.graph import INPUT, WEIGHT
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


@dataclass(frozen=True)
class StitchEdge:
    """An active stitch between two sections, all by index.

    Attributes:
        at: share of the source network's multiply-adds where it reads.
        to: share of the target network's where its result is read first.
    """

    stitch: int
    source: int
    target: int
    at: float
    to: float


@dataclass(frozen=True)
class Composition:
    """The sections of a subnetwork, in an order of computation, and the stitches between them."""

    output: str
    sections: tuple[Section, ...]
    edges: tuple[StitchEdge, ...]
    stitch_multiply_adds: int

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of the subnetwork for one image."""
        return sum(section.multiply_adds for section in self.sections) + self.stitch_multiply_adds


NodeRef = tuple[int, str]
"""A node, by its network and name."""


def composition(structure: Structure, genotype: Genotype) -> Composition:
    """Return the sections and stitches of a genotype's subnetwork."""
    stitches, graphs = structure.board.stitches, structure.graphs
    made = {_node(stitches[i].target): i for i in structure.active_stitches(genotype)}
    computed = _computed(structure, genotype)
    groups = _groups(structure, computed, made)
    group_of = {ref: index for index, group in enumerate(groups) for ref in group}
    crossings = [
        (ref, made[ref[0], read])
        for ref in computed
        for read in graphs[ref[0]].by_name[ref[1]].inputs
        if (ref[0], read) in made
    ]
    links = {(group_of[_node(stitches[i].source)], group_of[ref]) for ref, i in crossings}
    order = _in_order(len(groups), links)
    rank = {group: position for position, group in enumerate(order)}
    shares = [spans(graph) for graph in graphs]
    subset = structure.board.outputs[int(genotype[-1])]
    ends = {(i, name) for i in subset for _, name in graphs[i].outputs}
    sections = tuple(_section(structure, groups[group], shares, ends, made) for group in order)
    edges: dict[tuple[int, int], StitchEdge] = {}
    for (network, name), index in crossings:
        source = _node(stitches[index].source)
        start, target = rank[group_of[source]], rank[group_of[network, name]]
        at, to = shares[source[0]][source[1]][1], shares[network][name][0]
        edges.setdefault((index, target), StitchEdge(index, start, target, at, to))
    cost = sum(stitches[index].multiply_adds for index in {index for index, _ in edges})
    ordered = tuple(edges[key] for key in sorted(edges))
    return Composition(structure.outputs[int(genotype[-1])], sections, ordered, cost)


def _node(point: FeatureRef) -> NodeRef:
    return point.network, point.point


def _computed(structure: Structure, genotype: Genotype) -> list[NodeRef]:
    """Return all nodes that run, network by network, in the order of computation."""
    nodes = [(index, node) for index, graph in enumerate(structure.graphs) for node in graph.nodes]
    computed = structure.reachability.computed(genotype)
    return [
        (index, node.name)
        for (index, node), runs in zip(nodes, computed, strict=True)
        if runs and node.operation not in (INPUT, WEIGHT)
    ]


def _groups(
    structure: Structure, computed: Sequence[NodeRef], made: Mapping[NodeRef, int]
) -> list[list[NodeRef]]:
    """Return the nodes joined by what they read of one another, but for what stitches make."""
    number = {ref: index for index, ref in enumerate(computed)}
    reads = [
        (index, number[network, read])
        for (network, name), index in number.items()
        for read in structure.graphs[network].by_name[name].inputs
        if (network, read) in number and (network, read) not in made
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


def _section(
    structure: Structure,
    group: Sequence[NodeRef],
    shares: Sequence[Mapping[str, tuple[float, float]]],
    ends: Collection[NodeRef],
    made: Mapping[NodeRef, int],
) -> Section:
    network = group[0][0]
    graph = structure.graphs[network]
    nodes = [graph.by_name[name] for _, name in group]
    own = [node for node in graph.nodes if node.operation not in (INPUT, WEIGHT)]
    first, last = nodes[0], nodes[-1]
    named = [node.path for node in nodes if node.path] or [first.name]
    start = graph.input.name
    return Section(
        network=network,
        first=named[0],
        last=named[-1],
        begins=shares[network][first.name][0],
        ends=shares[network][last.name][1],
        multiply_adds=sum(node.multiply_adds for node in nodes),
        reads_input=any(start in node.inputs for node in nodes) and (network, start) not in made,
        gives_output=any(ref in ends for ref in group),
        whole_start=first is own[0],
        whole_end=last is own[-1],
    )
