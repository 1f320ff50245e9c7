"""The stitches and switches that a matching brings (the paper's sections 3 and 4).

Each match of k networks adds k (k - 1) stitches and k switches with k choices each: the consumers
of a point read the point itself (choice 0), or a stitch from another network's point (choices 1, 2,
... in the order of the networks). Where a match names its directions, only these are stitches and
choices. The last switch picks the output.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import prod

from netstitch.errors import MatchingError, StitchingError
from netstitch.matching.acyclic.partial_order import topological_order
from netstitch.matching.compatibility import compatible
from netstitch.matching.matches import Matching
from netstitch.networks.graph import WEIGHT, Graph
from netstitch.stitching.output_choices import OutputChoices, output_choices
from netstitch.stitching.stitch import FeatureRef, Stitch


@dataclass(frozen=True)
class Switch:
    """The choice of what the consumers of a point read.

    Attributes:
        match: index of the match.
        place: the point whose consumers read from here.
        stitches: index of the stitch behind each choice; the first, None, is the original.
    """

    match: int
    place: FeatureRef
    stitches: tuple[int | None, ...]


@dataclass(frozen=True)
class Switchboard:
    """All decisions of a supernet, in the order of the genotype.

    They are grouped by match, and the output's is the last.

    Attributes:
        matches: for each match its points by network index, in topological order.
        stitches: the stitches that switches choose between.
        switches: all but the output switch.
        outputs: choices of the output switch: sets of networks.
    """

    matches: tuple[dict[int, str], ...]
    stitches: tuple[Stitch, ...]
    switches: tuple[Switch, ...]
    outputs: OutputChoices

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of choices of each variable."""
        return (*(len(switch.stitches) for switch in self.switches), len(self.outputs))


def make_switchboard(
    graphs: Sequence[Graph],
    matching: Matching,
    outputs: Sequence[Sequence[int]] | None = None,
) -> Switchboard:
    """Return the stitches and switches of a matching between networks, in the matching's order.

    Outputs are the sets of networks that the output switch offers; see `output_choices`.

    Raises:
        StitchingError: when the matching names points that are not there, or has a cycle; for
            outputs that are no such sets.
    """
    rows = _by_network(graphs, matching)
    allowed = {_name(row): match.directions for row, match in zip(rows, matching, strict=True)}
    matches = _sorted_matches(graphs, rows)
    stitches: list[Stitch] = []
    switches: list[Switch] = []
    for index, match in enumerate(matches):
        numbers: dict[tuple[int, int], int] = {}
        directions = allowed[_name(match)]
        for source, target in permutations(match, 2):
            if directions is not None and (source, target) not in directions:
                continue
            numbers[source, target] = len(stitches)
            stitches.append(_stitch(graphs, index, match, source, target))
        for target, point in match.items():
            behind = [number for (_, to), number in numbers.items() if to == target]
            if behind:
                switches.append(Switch(index, FeatureRef(target, point), (None, *behind)))
    return Switchboard(
        matches, tuple(stitches), tuple(switches), output_choices(len(graphs), outputs)
    )


def _name(match: Mapping[int, str]) -> tuple[int, str]:
    """Return the first point of a match, which is in no other."""
    return next(iter(match.items()))


def _sorted_matches(
    graphs: Sequence[Graph], matches: Sequence[dict[int, str]]
) -> tuple[dict[int, str], ...]:
    """Return matches in a topological order of the merged graph, earlier points of it first."""
    # Groups of nodes that are one in the merged graph; the first numbers are those of matches.
    groups = {point: index for index, match in enumerate(matches) for point in match.items()}
    first: dict[int, tuple[int, int]] = {}  # position and network of a group's earliest node
    for network, graph in enumerate(graphs):
        for position, node in enumerate(graph.nodes):
            if node.operation != WEIGHT:
                group = groups.setdefault((network, node.name), len(groups))
                first.setdefault(group, (position, network))
    ranked = sorted(first, key=first.__getitem__)
    rank = {group: position for position, group in enumerate(ranked)}
    edges = {
        (rank[groups[network, name]], rank[groups[network, node.name]])
        for network, graph in enumerate(graphs)
        for node in graph.nodes
        for name in node.inputs
        if (network, name) in groups and (network, node.name) in groups
    }
    try:
        order = topological_order(len(rank), [(s, t) for s, t in edges if s != t], "merged")
    except MatchingError as error:
        raise StitchingError("the matching has a cycle; expected one of ns.match") from error
    chosen = (ranked[position] for position in order)
    return tuple(matches[group] for group in chosen if group < len(matches))


def _by_network(graphs: Sequence[Graph], matching: Matching) -> tuple[dict[int, str], ...]:
    found: list[dict[int, str]] = []
    taken: set[tuple[int, str]] = set()
    for match in matching:
        if len(match.points) != len(graphs):
            raise StitchingError(
                f"a match names {len(match.points)} networks, the supernet has {len(graphs)}; "
                "match the same networks, in the same order"
            )
        row = match.members
        for index, name in row.items():
            node = graphs[index].by_name.get(name)
            if node is None or not node.point:
                raise StitchingError(
                    f"the matching names {name!r}, which is no point of network {index}; "
                    "match these very networks"
                )
            if (index, name) in taken:
                raise StitchingError(f"point {name!r} of network {index} stands in two matches")
            taken.add((index, name))
        if len(row) < 2:
            raise StitchingError(f"match {match.points} joins fewer than two networks")
        for one in match.directions or ():
            if one not in permutations(row, 2):
                raise StitchingError(
                    f"match {match.points} has the direction {one!r:.80}; expected two of its "
                    f"networks, {', '.join(map(str, row))}, the source first"
                )
        found.append(row)
    return tuple(found)


def _stitch(
    graphs: Sequence[Graph], index: int, match: dict[int, str], source: int, target: int
) -> Stitch:
    start, end = (graphs[network].by_name[match[network]] for network in (source, target))
    layout = start.layout
    if layout is None or not compatible(start, end):
        raise StitchingError(
            f"points {match[source]!r} {start.shape} and {match[target]!r} {end.shape} cannot be "
            "stitched; expected (batch, features), or equal height and width"
        )
    shapes = start.shape or (), end.shape or ()
    inputs, outputs = (int(shape[layout.channels]) for shape in shapes)
    positions = prod(int(size) for size in layout.sizes(shapes[0]))
    refs = FeatureRef(source, match[source]), FeatureRef(target, match[target])
    return Stitch(index, *refs, inputs, outputs, layout, positions)
