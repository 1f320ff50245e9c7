"""Points by layout: what can be translated into one another, and what is read in one go."""

from collections.abc import Iterable, Sequence

from netstitch.errors import MatchingError
from netstitch.matching.compatibility import candidates, layout
from netstitch.matching.sampling import FLOAT, Layer, choose_sampling, positions_of, width_of
from netstitch.networks.graph import Dimension, Node
from netstitch.networks.network import Network

ROWS_A_FEATURE = 4
"""A fit on fewer rows would say more of the rows than of the points."""

Group = tuple[Layer, Layer]
"""All points of one layout that are asked for, of A and of B, which are sampled alike."""


def by_layout(
    a: Network,
    b: Network,
    pairs: Iterable[tuple[str, str]] | None,
    images: int,
    positions: int,
    budget: int,
) -> list[Group]:
    """The points that are asked for by layout, those with most positions first."""
    sides = [candidates(a.graph), candidates(b.graph)]
    if pairs is not None:
        listed = list(pairs)
        for side, network in enumerate((a, b)):
            asked = {pair[side] for pair in listed}
            unknown = asked - {node.name for node in sides[side]}
            if unknown:
                raise MatchingError(
                    f"{min(unknown)!r} is no point of {network.name} that can be matched; give "
                    "names of its points that are no outputs"
                )
            sides[side] = tuple(node for node in sides[side] if node.name in asked)
    found: dict[tuple[Dimension, ...], tuple[list[Node], list[Node]]] = {}
    for side, nodes in enumerate(sides):
        for node in nodes:
            kind = layout(node)
            if kind is not None:
                found.setdefault(kind, ([], []))[side].append(node)
    groups = []
    for of_a, of_b in found.values():
        if of_a and of_b:
            widths = [width_of(node) for node in (*of_a, *of_b)]
            rows = max(positions, ROWS_A_FEATURE * max(widths))
            sampling = choose_sampling(images, positions_of(of_a[0]), sum(widths), rows, budget)
            groups.append((Layer(tuple(of_a), sampling), Layer(tuple(of_b), sampling)))
    return sorted(groups, key=lambda group: -positions_of(group[0].points[0]))


def read_together(groups: Sequence[Group], budget: int) -> list[list[Group]]:
    """The groups in as few runs of the networks as their sampled features fit into memory."""
    passes: list[tuple[int, list[Group]]] = []
    for group in sorted(groups, key=_bytes, reverse=True):
        room = [(used, held) for used, held in passes if used + _bytes(group) <= budget]
        if room:
            used, held = room[0]
            passes.remove((used, held))
        else:
            used, held = 0, []
        passes.append((used + _bytes(group), [*held, group]))
    return [held for _, held in passes]


def _bytes(group: Group) -> int:
    sampling = group[0].sampling
    channels = sum(width_of(node) for layer in group for node in layer.points)
    return FLOAT * sampling.images * sampling.positions * channels


def described(group: Group) -> str:
    """The layout, for people."""
    shape = group[0].points[0].shape or ()
    return "x".join(map(str, shape[2:])) if len(shape) == 4 else "no positions"
