"""Multiply-adds and parameters of several subnetworks that run together."""

from collections import Counter
from collections.abc import Hashable, Sequence

from torch import nn

from netstitch.networks.graph import WEIGHT, rename
from netstitch.supernet.supernet import AnyGenotype, Supernet


def multiply_adds_together(supernet: Supernet, genotypes: Sequence[AnyGenotype]) -> int:
    """Return the multiply-adds of computing subnetworks together, each common tensor once.

    Two tensors are one where the same operation reads the same tensors: a layer behind a stitch is
    another one than the same layer behind the original features.
    """
    numbers: dict[Hashable, int] = {}  # of each distinct tensor
    costs: dict[int, int] = {}
    for genotype in genotypes:
        own: dict[str, str] = {}  # each node's tensor, as text for the arguments that refer to it
        repeats: Counter[Hashable] = Counter()
        for node in supernet.pruned_graph(genotype).nodes:
            named = tuple((key, rename(value, own)) for key, value in node.kwargs.items())
            computed = (node.operation, node.path, rename(node.args, own), named)
            repeats[computed] += 1  # a network may compute the same twice, and pays twice
            number = numbers.setdefault((computed, repeats[computed]), len(numbers))
            own[node.name] = str(number)
            costs[number] = node.multiply_adds
    return sum(costs.values())


def parameters_together(supernet: Supernet, genotypes: Sequence[AnyGenotype]) -> int:
    """Return the number of parameters that any of the subnetworks reads."""
    keys = {
        node.path
        for genotype in genotypes
        for node in supernet.pruned_graph(genotype).nodes
        if node.operation == WEIGHT
    }
    tensors = supernet.tensors()
    return sum(tensors[key].numel() for key in keys if isinstance(tensors[key], nn.Parameter))
