"""A cost by name or as an object: multiply-adds and parameters, and how to add one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from netstitch.costs.counts import multiply_adds_together, parameters_together
from netstitch.errors import SearchError
from netstitch.supernet.supernet import AnyGenotype, Supernet
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
    of: Callable[[Supernet, AnyGenotype], float]
    together: Callable[[Supernet, Sequence[AnyGenotype]], float]


MULTIPLY_ADDS = Cost("multiply-adds", "multiply-adds", Supernet.macs, multiply_adds_together)
PARAMETERS = Cost("parameters", "parameters", Supernet.parameters_of, parameters_together)

COSTS: Mapping[str, Cost] = {cost.name: cost for cost in (MULTIPLY_ADDS, PARAMETERS)}
"""Those that are known by name."""


def find_cost(cost: str | Cost) -> Cost:
    """Return the cost of a name, or the object that was given.

    Raises:
        SearchError: There is no cost of that name.
    """
    if isinstance(cost, Cost):
        return cost
    if cost not in COSTS:
        raise SearchError(f"cost {cost!r} is not known: {expected_one_of(cost, COSTS)}, or a Cost")
    return COSTS[cost]
