"""A supernet as large as the paper's ImageNet (a), of which only the accuracies are made up.

ResNet-152 and EfficientNet-B4 are joined by 154 matches, as early as can be (the paper's section
8), which makes 309 variables. Residual branches and gates, the acyclic matching, switches, active
variables, signatures and multiply-adds are netstitch's own, on graphs of all layers; only that a
convolution and its norm are one point.

Accuracy is a model. Errors run through the graph. A stitch passes its source's error on, magnified,
and adds one of its own, which is drawn, and larger the farther the points that it joins are apart
in depth (share of their network's multiply-adds). Where branches meet, the mean of their errors
goes on, so that a stitch in a residual branch harms half as much as one behind the sum; layers damp
errors a little. A network's accuracy falls from its own to chance with the error at its end, slowly
at first: few stitches cost little, many break it (section 5). An ensemble has the mean of its
parts, weighted by what is left of each, and gains more the less its parts have in common. Stitches
shift accuracy by chance too, up or down, so that a few networks are better than all without any.

Not modelled: features. Errors of two stitches have nothing to do with each other but that one may
lie behind the other, no stitch makes up for another, and the numbers below were chosen, not
measured: what this says of a search is how it spends its budget, not what it finds.
"""

from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from hashlib import blake2b
from typing import Any

import numpy as np
from numba import njit

from netstitch.matching import Matching, match
from netstitch.networks.counting import spans
from netstitch.networks.graph import Node
from netstitch.optimization import Genotype, Objective, Problem
from netstitch.stitching.structure import Structure
from netstitch.stitching.switches import make_switchboard
from problems.deep_networks import Known, efficientnet_b4, resnet152

SEED, MATCHES, IMAGES = 309, 154, 1_000
ALONE, TOGETHER = np.array([0.715, 0.705]), 0.03
"""The accuracy of each network, and what an ensemble of nothing in common gains."""

LEAST, APART, SPREAD = 0.03, 1.2, 0.6
"""A stitch's error at equal depth, what a distance of 1 adds, and sigma of its log-normal draw."""

MAGNIFIED, DAMPED, HALF = 1.5, 0.998, 0.5
"""Factors of an error in a stitch and in a layer, and the error that leaves half of an accuracy."""

SHIFT = 0.012
"""Standard deviation of the chance in an accuracy, at an error that leaves half of it."""


@dataclass(frozen=True, eq=False)
class ImagenetA:
    """The problem, and what its genotypes are worth.

    Nodes of both networks are numbered one after the other, as `Reachability` does.

    order: nodes, each behind all that it reads in any genotype. reads: (nodes, 2) what they read,
        -1 for nothing. switches: (nodes, 2) those that the reading goes through, -1 for none.
    sources, errors: (l - 1,) of the stitch behind each switch. fresh: (nodes,) the part of the
        depth that is computed in the node itself. ends: the networks' outputs.
    """

    structure: Structure
    problem: Problem
    order: np.ndarray
    reads: np.ndarray
    switches: np.ndarray
    sources: np.ndarray
    errors: np.ndarray
    fresh: np.ndarray
    ends: np.ndarray

    def evaluate(self, genotype: Genotype) -> tuple[float, float]:
        """Accuracy in whole images, and multiply-adds."""
        wiring = self.structure.reachability
        found = _passed(
            np.ascontiguousarray(genotype, dtype=np.int64),
            wiring.computed(genotype),
            *(self.order, self.reads, self.switches, self.sources, self.errors, self.fresh),
            self.ends[0],
        )
        used = list(self.structure.board.outputs[genotype[-1]])
        error, resnet = found[:, self.ends[used]]
        left = 1 / (1 + (error / HALF) ** 2)
        accuracy = float((ALONE[used] * left * left).sum() / left.sum())
        accuracy += TOGETHER * float(np.ptp(resnet) * left.min())
        chance = SHIFT * min(1.0, float(error.max()) / HALF) ** 0.5 * float(left.max())
        accuracy += chance * _drawn(wiring.digest(genotype))
        right = min(max(round(IMAGES * accuracy), 1), IMAGES)  # of 1,000 classes one is guessed
        return right / IMAGES, float(wiring.multiply_adds(genotype))


def _drawn(signature: bytes) -> float:
    """A nearly normal number that belongs to a signature: the sum of twelve uniform ones."""
    parts = np.frombuffer(blake2b(signature, digest_size=24).digest(), dtype=np.uint16)
    return float(parts.sum() / 2**16 - 6)


def matched(a: Known, b: Known) -> Matching:
    """A largest matching with points as early as can be; its first 154 pairs."""
    early = [
        {
            node.name: 1 - position / len(one.graph.nodes)
            for position, node in enumerate(one.graph.nodes)
        }
        for one in (a, b)
    ]

    def worth(one: Node, other: Node) -> float:
        return 1 + (early[0][one.name] + early[1][other.name]) / 1_000  # all together under a pair

    found = match(a, b, weights=worth)
    return Matching(found.matches[:MATCHES], MATCHES, MATCHES, found.method)


@cache
def imagenet_a() -> ImagenetA:
    """It is the same each time."""
    networks = resnet152(), efficientnet_b4()
    graphs = tuple(network.graph for network in networks)
    board = make_switchboard(graphs, matched(*networks))
    structure = Structure(tuple(network.name for network in networks), graphs, board)
    nodes = [(index, node) for index, graph in enumerate(graphs) for node in graph.nodes]
    at = {(index, node.name): number for number, (index, node) in enumerate(nodes)}
    depths = np.array([end for graph in graphs for _, end in spans(graph).values()])

    places = [at[switch.place.network, switch.place.point] for switch in board.switches]
    stitches = [board.stitches[index] for _, index in (one.stitches for one in board.switches)]
    sources = np.array([at[one.source.network, one.source.point] for one in stitches])
    drawn = np.random.default_rng(SEED).lognormal(0, SPREAD, len(places))
    errors = (LEAST + APART * np.abs(depths[places] - depths[sources])) * drawn

    through = {place: number for number, place in enumerate(places)}
    reads, switches = np.full((2, len(nodes), 2), -1)
    fresh = np.ones(len(nodes))
    needs: dict[int, list[int]] = {}
    for number, (index, node) in enumerate(nodes):
        read = [at[index, name] for name in node.inputs]
        reads[number, : len(read)] = read
        switches[number, : len(read)] = [through.get(one, -1) for one in read]
        needs[number] = read + [int(sources[through[one]]) for one in read if one in through]
        if read and depths[number]:
            fresh[number] = 1 - depths[read[0]] / depths[number]
    return ImagenetA(
        structure,
        Problem(
            board.cardinalities,
            (Objective("accuracy", maximise=True), Objective("multiply-adds")),
            structure.reachability.digest,
            structure.reachability.active,
        ),
        np.array(list(TopologicalSorter(needs).static_order())),
        reads,
        switches,
        sources,
        errors,
        fresh,
        np.array([at[index, graph.outputs[0][1]] for index, graph in enumerate(graphs)]),
    )


@njit(cache=True)
def _passed(
    genotype: Any,
    computed: Any,
    order: Any,
    reads: Any,
    switches: Any,
    sources: Any,
    errors: Any,
    fresh: Any,
    last_of_first: Any,
) -> Any:
    """The error at each node, and the share of the first network's layers in it: (2, nodes)."""
    found = np.zeros((2, len(computed)))
    for node in order:
        if not computed[node]:
            continue
        error, share, count = 0.0, 0.0, 0
        for branch in range(2):
            source = reads[node, branch]
            if source < 0:
                break
            count += 1
            switch = switches[node, branch]
            if switch >= 0 and genotype[switch] == 1:
                source = sources[switch]
                error += errors[switch] + (MAGNIFIED - 1) * found[0, source]
            error += found[0, source]
            share += found[1, source]
        own = 1.0 if node <= last_of_first else 0.0
        if count:
            found[0, node] = DAMPED * error / count
            found[1, node] = (1 - fresh[node]) * share / count + fresh[node] * own
        else:
            found[1, node] = own
    return found
