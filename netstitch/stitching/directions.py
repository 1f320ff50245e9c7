"""The directions of matches: from which other networks each point may be made."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from netstitch.matching.matches import Match, Matching
from netstitch.networks.graph import Graph
from netstitch.stitching.stitch import FeatureRef, Stitch
from netstitch.stitching.switches import make_switchboard

Rank = Callable[[Sequence[Stitch]], Sequence[float]]
"""Returns a number for each stitch; of those to one point the lowest are kept."""


def by_cost(stitches: Sequence[Stitch]) -> list[float]:
    """Return the multiply-adds of stitches, so that the cheapest are kept."""
    return [float(stitch.multiply_adds) for stitch in stitches]


def with_sources(graphs: Sequence[Graph], matching: Matching, sources: int, rank: Rank) -> Matching:
    """Return the matching with at most so many stitches to each of its points.

    A match of k networks then has at most `sources` times k stitches in the place of k (k - 1). Of
    equal rank the cheaper counts, then the earlier network. What is not ranked is every match of
    few enough networks: it keeps all that it has, and where there is no other, nothing is ranked.
    """
    crowded = tuple(match for match in matching if len(match.members) > sources + 1)
    if not crowded:
        return matching
    stitches = make_switchboard(graphs, replace(matching, matches=crowded)).stitches
    found: dict[FeatureRef, list[tuple[float, int, int]]] = {}
    for stitch, number in zip(stitches, rank(stitches), strict=True):
        order = (number, stitch.multiply_adds, stitch.source.network)
        found.setdefault(stitch.target, []).append(order)
    kept = {target: [source for *_, source in sorted(each)] for target, each in found.items()}

    def bounded(match: Match) -> Match:
        targets = {network: FeatureRef(network, point) for network, point in match.members.items()}
        chosen = [
            (source, network)
            for network, target in targets.items()
            for source in kept.get(target, [])[:sources]
        ]
        return replace(match, directions=tuple(sorted(chosen)))

    return replace(matching, matches=tuple(bounded(m) if m in crowded else m for m in matching))
