"""PairWeights of matching: what it is worth to join two points, for every pair of networks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from netstitch.errors import MatchingError
from netstitch.matching.acyclic.dynamic_program import PairWeights
from netstitch.matching.compatibility import NamedNetwork
from netstitch.matching.matching_settings import MatchingObjective
from netstitch.matching.objectives import balanced
from netstitch.matching.steps import PointPairs
from netstitch.networks.graph import Node
from netstitch.text import one_line

Worth = Callable[[Node, Node], float]
PairWeighing = Worth | npt.ArrayLike
Weighing = PairWeighing | Mapping[tuple[int, int], PairWeighing]
"""A function of two points, an array for two networks, or either for each pair (i, j), i < j."""


def worths(
    networks: Sequence[NamedNetwork], objective: MatchingObjective, weights: Weighing | None
) -> Iterator[tuple[tuple[int, int], Worth]]:
    """Yield every pair of networks, and what their points are worth together.

    Raises:
        MatchingError: where weights lack a pair, or are of another shape than the points.
    """
    indices = list(combinations(range(len(networks)), 2))
    given = None if weights is None else _by_pair(weights, indices)
    for pair in indices:
        a, b = (networks[index] for index in pair)
        if given is not None:
            yield pair, _worth(a, b, given[pair])
        elif objective == "balanced":
            yield pair, balanced(a.graph, b.graph)
        else:
            yield pair, lambda u, v: 1.0


def weight_table(
    shape: tuple[int, int], pairs: PointPairs, worth: Worth, names: str
) -> PairWeights:
    """Return the weights (steps of A, steps of B), 0 where no points are compatible.

    Raises:
        MatchingError: for what is no finite number of 0 or more; `names` are those of the networks.
    """
    table = np.zeros(shape)
    for steps, (node_a, node_b) in pairs.items():
        what = f"the weight of matching {node_a.name} with {node_b.name}, of {names}, is"
        try:
            weight = table[steps] = float(worth(node_a, node_b))
        except (TypeError, ValueError) as error:
            raise MatchingError(f"{what} no number ({one_line(error)}); give 0 or more") from error
        if not (np.isfinite(weight) and weight >= 0):
            raise MatchingError(f"{what} {weight}; weights must be finite and not negative")
    return table


def _by_pair(
    weights: Weighing, indices: Sequence[tuple[int, int]]
) -> Mapping[tuple[int, int], PairWeighing]:
    """Return the weights that were given, by pair of networks."""
    listed = ", ".join(map(str, indices))
    if isinstance(weights, Mapping):
        if set(weights) != set(indices):
            raise MatchingError(
                f"weights are given for {', '.join(map(str, weights)) or 'no pair'}; expected one "
                f"entry for each pair of the networks: {listed}"
            )
        return weights
    if not callable(weights) and len(indices) > 1:
        raise MatchingError(
            "weights of more than two networks must be a function of two points, or a mapping with "
            f"a function or an array for each of {listed}"
        )
    return dict.fromkeys(indices, weights)


def _worth(a: NamedNetwork, b: NamedNetwork, weights: PairWeighing) -> Worth:
    if callable(weights):
        return weights
    points_a = {node.name: index for index, node in enumerate(a.graph.points)}
    points_b = {node.name: index for index, node in enumerate(b.graph.points)}
    try:
        table = np.asarray(weights, np.float64)
    except (TypeError, ValueError, RuntimeError):  # the last of tensors that require gradients
        raise MatchingError(
            "weights must be a function of two points or an array of numbers"
        ) from None
    if table.shape != (len(points_a), len(points_b)):
        raise MatchingError(
            f"weights have shape {table.shape}; the points of {a.name} and {b.name} need "
            f"({len(points_a)}, {len(points_b)})"
        )
    return lambda u, v: float(table[points_a[u.name], points_b[v.name]])
