"""A matching as a picture: a lane for each network, and a line for each match."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netstitch.drawing.lanes import Line, lines_svg
from netstitch.networks.graph import Graph

if TYPE_CHECKING:
    from netstitch.matching.matches import Matching


def placed(matching: "Matching", names: Sequence[str], graphs: Sequence[Graph]) -> "Matching":
    """Return the matching with what it takes to draw it: names, and how deep its points lie."""
    of_points = [_depths(graph) for graph in graphs]
    depths = tuple(
        tuple(
            None if point is None else own[point]
            for point, own in zip(match.points, of_points, strict=True)
        )
        for match in matching.matches
    )
    return replace(matching, names=tuple(names), depths=depths)


def matching_svg(matching: "Matching") -> str:
    """Return an SVG; along a lane a network's multiply-adds count in the order of computation."""
    lines = []
    for match, depths in zip(matching.matches, matching.depths, strict=True):
        title = " and ".join(str(point) for point in match.points if point is not None)
        known = [(lane, depth) for lane, depth in enumerate(depths) if depth is not None]
        for (upper, start), (lower, end) in itertools.pairwise(known):
            lines.append(Line((upper, lower), (start, end), title))
    return lines_svg(matching.names, lines, f"{len(matching.matches)} matches")


def _depths(graph: Graph) -> dict[str, float]:
    """Return for each node the share of multiply-adds that is done with it."""
    total, done = graph.multiply_adds or 1, 0
    found = {}
    for node in graph.nodes:
        done += node.multiply_adds
        found[node.name] = done / total
    return found
