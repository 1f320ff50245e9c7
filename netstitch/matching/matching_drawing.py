"""A matching as a picture: a lane for each network, and a line for each match."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from netstitch.networks.graph import Graph

if TYPE_CHECKING:
    from netstitch.matching.matches import Matching

LEFT, LENGTH, RIGHT, TOP, LANE, BAR = 130, 620, 20, 8, 110, 18
COLOURS = ("#56a8dd", "#3cc39a", "#dd9fc3", "#f0b94a")


def placed(matching: "Matching", names: Sequence[str], graphs: Sequence[Graph]) -> "Matching":
    """The matching with what it takes to draw it."""
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
    """An SVG; along a lane a network's multiply-adds are counted in the order of computation."""
    count = len(matching.names)
    height = TOP + (count - 1) * LANE + BAR + TOP
    width = LEFT + LENGTH + RIGHT
    drawn = [_lane(index, name) for index, name in enumerate(matching.names)]
    for match, depths in zip(matching.matches, matching.depths, strict=True):
        known = [(lane, depth) for lane, depth in enumerate(depths) if depth is not None]
        for (upper, start), (lower, end) in itertools.pairwise(known):
            points = escape(" and ".join(str(one) for one in match.points if one is not None))
            drawn.append(
                f'<line x1="{_x(start)}" y1="{_top(upper) + BAR}" x2="{_x(end)}" '
                f'y2="{_top(lower)}" stroke="#b23a00" stroke-width="1.1" opacity="0.7">'
                f"<title>{points}</title></line>"
            )
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'style="max-width: 100%; height: auto; font: 12px system-ui, sans-serif" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{len(matching.matches)} matches</title>'
        f"{''.join(drawn)}</svg>"
    )


def _depths(graph: Graph) -> dict[str, float]:
    total, done = graph.multiply_adds or 1, 0
    found = {}
    for node in graph.nodes:
        done += node.multiply_adds
        found[node.name] = done / total
    return found


def _lane(index: int, name: str) -> str:
    top = _top(index)
    return (
        f'<text x="{LEFT - 10}" y="{top + 13}" text-anchor="end" fill="currentColor">'
        f'{escape(name[:18])}</text><rect x="{LEFT}" y="{top}" width="{LENGTH}" height="{BAR}" '
        f'fill="{COLOURS[index % len(COLOURS)]}"/>'
    )


def _top(lane: int) -> int:
    return TOP + lane * LANE


def _x(depth: float) -> float:
    return round(LEFT + depth * LENGTH, 1)
