"""A cost by name or as an object: multiply-adds and parameters, and how to add one."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from netstitch.errors import SearchError
from netstitch.networks.graph import WEIGHT, rename
from netstitch.supernet.supernet import AnySubnetwork, Supernet
from netstitch.text import expected_one_of


@dataclass(frozen=True)
class Cost:
    """A number that a search makes small, of one subnetwork or of several that run together.

    Workers in other processes compute it too, so its functions are those of a module. The cost of
    the ensemble is the unit of hypervolumes, and has to be over 0.

    Attributes:
        name: Unique among costs; it names the objective in the table of evaluations.
        unit: What figures and tables write behind its numbers.
        of: Return the cost of a genotype's subnetwork, for one sample, without running it.
        together: Return the cost of computing several genotypes' subnetworks for one sample, where
            each tensor that they have in common counts once.
    """

    name: str
    unit: str
    of: Callable[[Supernet, AnySubnetwork], float]
    together: Callable[[Supernet, Sequence[AnySubnetwork]], float]


def multiply_adds_together(supernet: Supernet, genotypes: Sequence[AnySubnetwork]) -> int:
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


def parameters_together(supernet: Supernet, genotypes: Sequence[AnySubnetwork]) -> int:
    """Return the number of parameters that any of the subnetworks reads."""
    keys = {
        node.path
        for genotype in genotypes
        for node in supernet.pruned_graph(genotype).nodes
        if node.operation == WEIGHT
    }
    tensors = supernet.tensors()
    return sum(tensors[key].numel() for key in keys if isinstance(tensors[key], nn.Parameter))


MULTIPLY_ADDS = Cost("multiply-adds", "multiply-adds", Supernet.macs, multiply_adds_together)
PARAMETERS = Cost("parameters", "parameters", Supernet.parameters_of, parameters_together)

COSTS: Mapping[str, Cost] = {cost.name: cost for cost in (MULTIPLY_ADDS, PARAMETERS)}
"""Those that are known by name."""


def find_cost(cost: str | Cost) -> Cost:
    """Return the cost of a name, or the object that was given; SearchError without one."""
    if isinstance(cost, Cost):
        return cost
    if cost not in COSTS:
        raise SearchError(f"cost {cost!r} is not known: {expected_one_of(cost, COSTS)}, or a Cost")
    return COSTS[cost]
