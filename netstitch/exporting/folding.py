"""Exports with the batch norms that other layers can carry folded into them."""

from netstitch.exporting.subnetwork import Subnetwork
from netstitch.networks.folding import BATCH_NORM, fold
from netstitch.networks.module import build_module


def fold_subnetwork(subnetwork: Subnetwork) -> tuple[Subnetwork, int]:
    """The subnetwork with what can be folded, and how many batch norms were."""
    graph, weights = fold(subnetwork.graph, subnetwork.weights)
    norms = [sum(n.operation == BATCH_NORM for n in g.nodes) for g in (subnetwork.graph, graph)]
    module = build_module(graph, weights)
    return Subnetwork(graph, weights, module, subnetwork.example), norms[0] - norms[1]
