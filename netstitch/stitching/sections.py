"""A subnetwork as a person sees it: which parts of which networks, and the stitches between them.

A part is what is computed of one network without a stitch in between. Trained networks are nearly
chains, so a part is told by where it begins and ends in the order of computation.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from netstitch.networks.graph import INPUT, WEIGHT, Graph
from netstitch.stitching.reachability import Genotype
from netstitch.stitching.structure import Structure


@dataclass(frozen=True)
class Section:
    """Nodes of one network, joined by what they read of one another.

    network: its index. first, last: module paths of its first and last node.
    begins, ends: the shares of the network's multiply-adds that come before it, and up to its end,
        in the order of computation. multiply_adds: of the part itself.
    reads_input: whether it reads the task's input. gives_output: whether a network's output is in
        it. whole_start, whole_end: whether it begins with the network's first node, and ends with
        its last.
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
    """An active stitch between two parts.

    stitch: its index. source, target: indices of the parts. at, to: the shares of their networks'
    multiply-adds where it reads, and where what it makes is read first.
    """

    stitch: int
    source: int
    target: int
    at: float
    to: float


@dataclass(frozen=True)
class Composition:
    """A subnetwork's parts, in an order in which they can be computed, and their joints.

    output: the name of what is chosen for the output. stitch_multiply_adds: of all stitches.
    """

    output: str
    parts: tuple[Section, ...]
    joints: tuple[StitchEdge, ...]
    stitch_multiply_adds: int

    @property
    def multiply_adds(self) -> int:
        return sum(part.multiply_adds for part in self.parts) + self.stitch_multiply_adds


Place = tuple[int, str]
"""A node, by its network and name."""


def composition(structure: Structure, genotype: Genotype) -> Composition:
    """The parts and joints of a genotype's subnetwork."""
    active = structure.wiring.active(genotype)
    stitched: dict[Place, int] = {}
    for switch, choice, runs in zip(
        structure.board.switches, genotype[:-1].tolist(), active[:-1].tolist(), strict=True
    ):
        stitch = switch.stitches[choice]
        if runs and stitch is not None:
            stitched[switch.place.network, switch.place.point] = stitch
    subset = structure.board.outputs[int(genotype[-1])]
    roots = [(i, name) for i in subset for _, name in structure.graphs[i].outputs]
    computed = _computed(structure, roots, stitched)
    groups = _groups(structure, computed, stitched)
    spans = [_spans(graph) for graph in structure.graphs]
    ordered = _in_order(structure, groups, stitched)
    at = {place: index for index, group in enumerate(ordered) for place in group}
    parts = tuple(_part(structure, group, spans, set(roots), stitched) for group in ordered)
    joints = tuple(_joints(structure, computed, stitched, at, spans))
    used = {joint.stitch for joint in joints}
    cost = sum(structure.board.stitches[index].multiply_adds for index in used)
    return Composition(structure.outputs[int(genotype[-1])], parts, joints, cost)


def _computed(
    structure: Structure, roots: Sequence[Place], stitched: dict[Place, int]
) -> list[Place]:
    """All nodes that run, network by network, in the order of computation; inputs left out."""
    found: set[Place] = set()
    pending = list(roots)
    while pending:
        place = pending.pop()
        network, name = place
        node = structure.graphs[network].by_name[name]
        if place in found or node.operation in (INPUT, WEIGHT):
            continue
        found.add(place)
        for read in node.inputs:
            stitch = stitched.get((network, read))
            if stitch is None:
                pending.append((network, read))
            else:
                source = structure.board.stitches[stitch].source
                pending.append((source.network, source.point))
    return [
        (index, node.name)
        for index, graph in enumerate(structure.graphs)
        for node in graph.nodes
        if (index, node.name) in found
    ]


def _groups(
    structure: Structure, computed: Sequence[Place], stitched: dict[Place, int]
) -> list[list[Place]]:
    """Nodes that are joined by what they read of one another, but for what stitches make."""
    leader = {place: place for place in computed}

    def lead(place: Place) -> Place:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    for place in computed:
        network, name = place
        for read in structure.graphs[network].by_name[name].inputs:
            if (network, read) in leader and (network, read) not in stitched:
                leader[lead(place)] = lead((network, read))
    groups: dict[Place, list[Place]] = {}
    for place in computed:
        groups.setdefault(lead(place), []).append(place)
    return list(groups.values())


def _in_order(
    structure: Structure, groups: Sequence[list[Place]], stitched: dict[Place, int]
) -> list[list[Place]]:
    """Groups by the longest way of stitches from the input, then by network and place in it.

    Two parts may read one another, where both begin before the other's stitch: such are taken as
    they come.
    """
    at = {place: index for index, group in enumerate(groups) for place in group}
    reads: list[set[int]] = [set() for _ in groups]
    for place, index in at.items():
        network, name = place
        for read in structure.graphs[network].by_name[name].inputs:
            if (stitch := stitched.get((network, read))) is not None:
                source = structure.board.stitches[stitch].source
                reads[index].add(at[source.network, source.point])
    left, done = list(range(len(groups))), set[int]()
    ordered = []
    while left:
        ready = [index for index in left if reads[index] - {index} <= done]
        for index in ready or left[:1]:
            ordered.append(groups[index])
            done.add(index)
            left.remove(index)
    return ordered


def _spans(graph: Graph) -> dict[str, tuple[float, float]]:
    """The shares of a graph's multiply-adds before and behind each node, in their order."""
    total, before, found = max(1, graph.multiply_adds), 0, {}
    for node in graph.nodes:
        found[node.name] = before / total, (before + node.multiply_adds) / total
        before += node.multiply_adds
    return found


def _part(
    structure: Structure,
    group: Sequence[Place],
    spans: Sequence[dict[str, tuple[float, float]]],
    roots: set[Place],
    stitched: dict[Place, int],
) -> Section:
    network = group[0][0]
    graph = structure.graphs[network]
    nodes = [graph.by_name[name] for _, name in group]
    own = [node for node in graph.nodes if node.operation not in (INPUT, WEIGHT)]
    first, last = nodes[0], nodes[-1]
    named = [node.path for node in nodes if node.path] or [first.name]
    return Section(
        network=network,
        first=named[0],
        last=named[-1],
        begins=spans[network][first.name][0],
        ends=spans[network][last.name][1],
        multiply_adds=sum(node.multiply_adds for node in nodes),
        reads_input=any(
            graph.input.name in node.inputs and (network, graph.input.name) not in stitched
            for node in nodes
        ),
        gives_output=any(place in roots for place in group),
        whole_start=first is own[0],
        whole_end=last is own[-1],
    )


def _joints(
    structure: Structure,
    computed: Sequence[Place],
    stitched: dict[Place, int],
    at: dict[Place, int],
    spans: Sequence[dict[str, tuple[float, float]]],
) -> list[StitchEdge]:
    found: dict[tuple[int, int], StitchEdge] = {}
    for place in computed:
        network, name = place
        for read in structure.graphs[network].by_name[name].inputs:
            stitch = stitched.get((network, read))
            if stitch is None or (stitch, at[place]) in found:
                continue
            source = structure.board.stitches[stitch].source
            found[stitch, at[place]] = StitchEdge(
                stitch,
                at[source.network, source.point],
                at[place],
                spans[source.network][source.point][1],
                spans[network][name][0],
            )
    return sorted(found.values(), key=lambda joint: (joint.stitch, joint.target))
