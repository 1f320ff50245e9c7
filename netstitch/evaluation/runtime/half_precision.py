"""Units in half precision, which GPUs run several times faster."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from netstitch.evaluation.numerics import DTYPES, FULL, Precision
from netstitch.evaluation.runtime.fragments import Fragment, Fragments
from netstitch.networks.graph import INPUT, Argument, Enumerated, Graph, Node, Ref, rename

WIDENED = "aten.to.dtype"


def in_precision(units: Fragments, precision: Precision) -> Fragments:
    """Units that compute in this precision where they computed in float32.

    Averages of several networks' outputs, which differ in the last bits that half precision has,
    stay float32.
    """
    averages = _averages(units)
    return replace(
        units,
        units=tuple(
            _widened(unit) if number in averages else _narrowed(unit, precision)
            for number, unit in enumerate(units.units)
        ),
    )


def shrunk(units: Fragments, precision: Precision) -> NDArray[np.int64]:
    """(units,) by how much less memory each one's values take than in float32."""
    factor = DTYPES[FULL].itemsize // DTYPES[precision].itemsize
    averages = _averages(units)
    return np.array([1 if number in averages else factor for number in range(len(units.units))])


def _averages(units: Fragments) -> set[int]:
    """The results that hold no node of a network."""
    results = {unit for pairs in units.results for _, unit in pairs}
    return {number for number in results if not units.units[number].members}


def _narrowed(unit: Fragment, precision: Precision) -> Fragment:
    """Where an operation names float32, such as in a cast, it names the precision."""
    nodes = tuple(
        replace(
            node,
            args=tuple(_narrow(argument, precision) for argument in node.args),
            kwargs={key: _narrow(value, precision) for key, value in node.kwargs.items()},
        )
        for node in unit.graph.nodes
    )
    return replace(unit, graph=replace(unit.graph, nodes=nodes))


def _narrow(argument: Argument, precision: Precision) -> Argument:
    if isinstance(argument, tuple):
        return tuple(_narrow(one, precision) for one in argument)
    if argument == Enumerated("dtype", FULL):
        return Enumerated("dtype", precision)
    return argument


def _widened(unit: Fragment) -> Fragment:
    """What it reads is cast to float32 first."""
    slots = [node for node in unit.graph.nodes if node.operation == INPUT]
    wide = {slot.name: f"{slot.name}_wide" for slot in slots}
    casts = [
        Node(
            wide[slot.name],
            WIDENED,
            (Ref(slot.name), Enumerated("dtype", FULL)),
            shape=slot.shape,
            dtype=FULL,
        )
        for slot in slots
    ]
    rest = [_renamed(node, wide) for node in unit.graph.nodes if node.operation != INPUT]
    outputs = tuple((key, wide.get(name, name)) for key, name in unit.graph.outputs)
    return replace(unit, graph=Graph((*slots, *casts, *rest), outputs))


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    own = {name: names.get(name, name) for name in node.inputs}
    return replace(
        node,
        args=tuple(rename(argument, own) for argument in node.args),
        kwargs={key: rename(value, own) for key, value in node.kwargs.items()},
    )
