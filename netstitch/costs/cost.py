"""A cost by name or as an object: multiply-adds and parameters, and how to add one."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from netstitch.errors import SearchError
from netstitch.networks.content import content_keys
from netstitch.networks.graph import WEIGHT
from netstitch.supernet.decisions import AnySubnetwork
from netstitch.supernet.supernet import Supernet
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
        parts: Return what the cost is the sum of, by content: what several subnetworks have in
            common has the same keys, and counts once. None for a cost that is no such sum.
    """

    name: str
    unit: str
    of: Callable[[Supernet, AnySubnetwork], float]
    together: Callable[[Supernet, Sequence[AnySubnetwork]], float]
    parts: Callable[[Supernet, AnySubnetwork], Mapping[Hashable, float]] | None = None


def multiply_adds_parts(supernet: Supernet, genotype: AnySubnetwork) -> dict[Hashable, int]:
    """Return the multiply-adds of each distinct tensor of a subnetwork.

    Two tensors are one where the same operation reads the same tensors: a layer behind a stitch is
    another one than the same layer behind the original features.
    """
    graph = supernet.pruned_graph(genotype)
    contents = content_keys(graph)
    repeats: Counter[str] = Counter()
    parts: dict[Hashable, int] = {}
    for node in graph.nodes:
        if node.multiply_adds:
            content = contents[node.name]
            repeats[content] += 1  # a network may compute the same twice, and pays twice
            parts[content, repeats[content]] = node.multiply_adds
    return parts


def parameters_parts(supernet: Supernet, genotype: AnySubnetwork) -> dict[Hashable, int]:
    """Return the number of parameters of each tensor that a subnetwork reads."""
    graph, tensors = supernet.subnetwork_graph(genotype)
    paths = {node.path for node in graph.nodes if node.operation == WEIGHT}
    return {
        path: tensors[path].numel() for path in paths if isinstance(tensors[path], nn.Parameter)
    }


def multiply_adds_together(supernet: Supernet, genotypes: Sequence[AnySubnetwork]) -> int:
    """Return the multiply-adds of computing subnetworks together, each common tensor once."""
    return sum(_united(multiply_adds_parts(supernet, genotype) for genotype in genotypes).values())


def parameters_together(supernet: Supernet, genotypes: Sequence[AnySubnetwork]) -> int:
    """Return the number of parameters that any of the subnetworks reads."""
    return sum(_united(parameters_parts(supernet, genotype) for genotype in genotypes).values())


def _united(each: Iterable[Mapping[Hashable, int]]) -> dict[Hashable, int]:
    return {key: value for parts in each for key, value in parts.items()}


MULTIPLY_ADDS = Cost(
    "multiply-adds", "multiply-adds", Supernet.macs, multiply_adds_together, multiply_adds_parts
)
PARAMETERS = Cost(
    "parameters", "parameters", Supernet.parameters_of, parameters_together, parameters_parts
)

COSTS: Mapping[str, Cost] = {cost.name: cost for cost in (MULTIPLY_ADDS, PARAMETERS)}
"""The costs that are known by name."""


def find_cost(cost: str | Cost) -> Cost:
    """Return the cost of a name, or the object that was given; SearchError without one."""
    if isinstance(cost, Cost):
        return cost
    if cost not in COSTS:
        raise SearchError(f"cost {cost!r} is not known: {expected_one_of(cost, COSTS)}, or a Cost")
    return COSTS[cost]
