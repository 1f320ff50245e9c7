"""Matching the points of trained networks: from networks to the solver's graphs, and back."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from netstitch.errors import MatchingError
from netstitch.matching.compatibility import candidates, layout
from netstitch.matching.match import Match, Matching
from netstitch.matching.solver import maximum_acyclic_matching
from netstitch.networks.graph import WEIGHT, Dimension, Graph, Node

Weighing = Callable[[Node, Node], float] | npt.ArrayLike


class Named(Protocol):
    """What is matched: anything with a name and a graph, such as a Network."""

    name: str
    graph: Graph


def match(*networks: Named, weights: Weighing | None = None) -> Matching:
    """The heaviest acyclic matching of two networks' points (the paper's section 3).

    weights: what a match is worth; without it every match counts 1, so that their number is
        maximal. Either a function of two compatible points, the first network's first, or an array
        (points of the first graph, points of the second) in the order of `graph.points`, of which
        the entries of compatible points are read. 0 keeps two points apart.

    Points that are an output of their network are not matched. Ties, and networks too wide for the
    exact solver, are as in `maximum_acyclic_matching`.

    Raises MatchingError for other than two networks, for input shapes, output keys or output shapes
    that differ, for weights of a wrong shape, negative or not finite, and when no points fit.
    """
    if len(networks) != 2:
        need = "give two" if len(networks) < 2 else "more than two are not supported yet; give two"
        raise MatchingError(f"{len(networks)} networks were given to match: {need}")
    a, b = networks
    _check_ends(a, b)
    steps_a, steps_b = _steps(a.graph), _steps(b.graph)
    table = np.zeros((len(steps_a), len(steps_b)))
    worth = _weigher(a, b, weights)
    at_a = {node.name: index for index, node in enumerate(steps_a)}
    at_b = {node.name: index for index, node in enumerate(steps_b)}
    by_layout: dict[tuple[Dimension, ...] | None, list[Node]] = {}
    for node in candidates(b.graph):
        by_layout.setdefault(layout(node), []).append(node)
    for node_a in candidates(a.graph):
        kind = layout(node_a)
        for node_b in by_layout.get(kind, ()) if kind is not None else ():
            table[at_a[node_a.name], at_b[node_b.name]] = worth(node_a, node_b)
    if not table.any():
        raise MatchingError(
            f"no point of {a.name} is compatible with one of {b.name}: both need 2-D tensors, or "
            "4-D tensors of equal height and width; choose networks with layers that agree in size"
        )
    found = maximum_acyclic_matching(
        len(steps_a), _edges(steps_a, at_a), len(steps_b), _edges(steps_b, at_b), table
    )
    matches = tuple(Match((steps_a[i].name, steps_b[j].name)) for i, j in found.pairs)
    return Matching(matches, found.weight, found.upper_bound, found.method)


def _steps(graph: Graph) -> tuple[Node, ...]:
    return tuple(node for node in graph.nodes if node.operation != WEIGHT)


def _edges(steps: tuple[Node, ...], at: dict[str, int]) -> list[tuple[int, int]]:
    return [(at[name], at[node.name]) for node in steps for name in node.inputs if name in at]


def _weigher(a: Named, b: Named, weights: Weighing | None) -> Callable[[Node, Node], float]:
    if weights is None:
        return lambda node_a, node_b: 1.0
    if callable(weights):
        ask = weights

        def asked(node_a: Node, node_b: Node) -> float:
            weight = float(ask(node_a, node_b))
            _check_weight(weight, node_a, node_b)
            return weight

        return asked
    points_a = {node.name: index for index, node in enumerate(a.graph.points)}
    points_b = {node.name: index for index, node in enumerate(b.graph.points)}
    try:
        table = np.asarray(weights, np.float64)
    except (TypeError, ValueError):
        raise MatchingError("weights must be a function of two points or an array") from None
    if table.shape != (len(points_a), len(points_b)):
        raise MatchingError(
            f"weights have shape {table.shape}; the points of {a.name} and {b.name} need "
            f"({len(points_a)}, {len(points_b)})"
        )

    def listed(node_a: Node, node_b: Node) -> float:
        weight = float(table[points_a[node_a.name], points_b[node_b.name]])
        _check_weight(weight, node_a, node_b)
        return weight

    return listed


def _check_weight(weight: float, node_a: Node, node_b: Node) -> None:
    if not (np.isfinite(weight) and weight >= 0):
        raise MatchingError(
            f"the weight of matching {node_a.name} with {node_b.name} is {weight}; "
            "weights must be finite and not negative"
        )


def _check_ends(a: Named, b: Named) -> None:
    input_a, input_b = a.graph.input.shape, b.graph.input.shape
    if input_a != input_b:
        raise MatchingError(
            f"{a.name} takes inputs of shape {_shown(input_a)} and {b.name} of {_shown(input_b)}; "
            "capture both with the same example input"
        )
    outputs_a = {key: a.graph.by_name[name].shape for key, name in a.graph.outputs}
    outputs_b = {key: b.graph.by_name[name].shape for key, name in b.graph.outputs}
    if outputs_a.keys() != outputs_b.keys():
        raise MatchingError(
            f"{a.name} gives {_keys(outputs_a)} and {b.name} gives {_keys(outputs_b)}; "
            "networks that are joined must give the same outputs"
        )
    for key, shape in outputs_a.items():
        if shape != outputs_b[key]:
            what = "an output" if key is None else f"an output {key!r}"
            raise MatchingError(
                f"{a.name} gives {what} of shape {_shown(shape)} and {b.name} of "
                f"{_shown(outputs_b[key])}; networks that are joined must do the same task"
            )


def _shown(shape: tuple[Dimension, ...] | None) -> str:
    return "unknown" if shape is None else f"({', '.join(map(str, shape))})"


def _keys(outputs: dict[str | None, tuple[Dimension, ...] | None]) -> str:
    if None in outputs:
        return "one tensor"
    return f"the outputs {', '.join(repr(key) for key in outputs)}"
