"""The first networks of a search: one stitch each, ordered so that any beginning covers them all.

They can be listed, and their costs are known before anything is run. Much of a front is among them,
and a search that begins with the best of them can combine their stitches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from netstitch.networks.counting import spans
from netstitch.optimization.operators.scalarisation import Scale, scattered_subset
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet

MUCH = 0.05
"""The share of the cost that a network saves to be among the first."""


@dataclass(frozen=True, eq=False)
class SingleStitchNetwork:
    """A network with one stitch.

    Attributes:
        genotype: Only the stitch's switch reads another network's point.
        depth: The share of the target network's multiply-adds that is computed up to the stitch.
        saved: The share of cost that it saves against the networks of its output, or against the
            stitch's source where that costs more.
        networks: The two networks that it joins, in their order.
    """

    genotype: Genotype
    depth: float
    saved: float
    networks: tuple[int, int]


def first_networks(supernet: Supernet, cost_of: Callable[[Genotype], float]) -> list[Genotype]:
    """Return the networks with one stitch that save any cost, each once.

    Those that save the share MUCH come first. Among these, and among the others, pairs of joined
    networks take turns: see `in_turn`. Exits have no genotype and are not among them.
    """
    found = single_stitch_networks(supernet, cost_of)
    much = [one for one in found if one.saved >= MUCH]
    little = [one for one in found if 0 < one.saved < MUCH]
    return [one.genotype for part in (much, little) for one in in_turn(part)]


def single_stitch_networks(
    supernet: Supernet, cost_of: Callable[[Genotype], float]
) -> list[SingleStitchNetwork]:
    """Return a network for each stitch and each output that depends on it, whatever it saves."""
    costs = [cost_of(genotype) for genotype in supernet.references().values()]
    alone = {
        choice[0]: cost
        for choice, cost in zip(supernet.board.outputs, costs, strict=True)
        if len(choice) == 1
    }
    ends = [spans(graph) for graph in supernet.graphs]
    found = []
    for output, whole in enumerate(costs):
        for index, switch in enumerate(supernet.switches):
            for choice, number in enumerate(switch.stitches):
                genotype = supernet.genotype(output, {index: choice})
                if number is None or not supernet.wiring.active(genotype)[index]:
                    continue
                replaced = max(whole, alone.get(supernet.stitches[number].source.network, 0.0))
                saved = 1 - cost_of(genotype) / replaced if replaced else 0.0
                depth = ends[switch.place.network][switch.place.point][1]
                joined = supernet.stitches[number].source.network, switch.place.network
                pair = min(joined), max(joined)
                found.append(SingleStitchNetwork(genotype, depth, saved, pair))
    return found


def in_turn(networks: Sequence[SingleStitchNetwork]) -> list[SingleStitchNetwork]:
    """Return the networks round by round, one of each pair of networks that is joined.

    Within a round pairs are sorted by the depths of their stitches, the deepest first. The networks
    of one pair follow one another as `spread` orders them.
    """
    pairs: dict[tuple[int, int], list[SingleStitchNetwork]] = {}
    for one in networks:
        pairs.setdefault(one.networks, []).append(one)
    deepest = sorted(
        pairs.values(),
        key=lambda own: sorted((one.depth for one in own), reverse=True),
        reverse=True,
    )
    rounds = zip_longest(*(spread(own) for own in deepest))
    return [one for turn in rounds for one in turn if one is not None]


def spread(networks: Sequence[SingleStitchNetwork]) -> list[SingleStitchNetwork]:
    """Return the networks in farthest-point order by depth and saving, both scaled to their range.

    The first is in their middle. The networks of any beginning are then at least as far from each
    other as any other network is from the nearest of them.
    """
    if not networks:
        return []
    points: NDArray[np.float64] = np.array([(one.depth, one.saved) for one in networks])
    scale = Scale.of(points)
    points = (points - scale.least) / scale.extent
    middle = int(((points - 0.5) ** 2).sum(axis=1).argmin())
    order = [middle, *(index for index in range(len(points)) if index != middle)]
    return [networks[order[index]] for index in scattered_subset(points[order], len(points))]
