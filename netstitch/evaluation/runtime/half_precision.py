"""Fragments in half precision, which GPUs run several times faster."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from netstitch.evaluation.numerics import DTYPES, FULL, Precision
from netstitch.evaluation.runtime.fragments import Fragment, Fragments
from netstitch.networks.content import renamed
from netstitch.networks.graph import INPUT, Argument, Enumerated, Graph, Node, Ref

WIDENED = "aten.to.dtype"


def in_precision(fragments: Fragments, precision: Precision) -> Fragments:
    """Return fragments that compute in this precision where they computed in float32.

    Averages of several networks' outputs, which differ in the last bits that half precision has,
    stay float32.
    """
    averages = _averages(fragments)
    every = tuple(
        _widened(fragment) if number in averages else _narrowed(fragment, precision)
        for number, fragment in enumerate(fragments.every)
    )
    return replace(fragments, every=every)


def shrunk(fragments: Fragments, precision: Precision) -> NDArray[np.int64]:
    """Return (fragments,) by how much less memory each one's values take than in float32."""
    factors = np.full(len(fragments.every), DTYPES[FULL].itemsize // DTYPES[precision].itemsize)
    factors[list(_averages(fragments))] = 1
    return factors


def _averages(fragments: Fragments) -> set[int]:
    """Return the results that hold no node of a network."""
    results = {number for pairs in fragments.results for _, number in pairs}
    return {number for number in results if not fragments.every[number].members}


def _narrowed(fragment: Fragment, precision: Precision) -> Fragment:
    """Return the fragment with the precision where an operation, such as a cast, names float32."""
    nodes = tuple(
        replace(
            node,
            args=tuple(_narrow(argument, precision) for argument in node.args),
            kwargs={key: _narrow(value, precision) for key, value in node.kwargs.items()},
        )
        for node in fragment.graph.nodes
    )
    return replace(fragment, graph=replace(fragment.graph, nodes=nodes))


def _narrow(argument: Argument, precision: Precision) -> Argument:
    if isinstance(argument, tuple):
        return tuple(_narrow(one, precision) for one in argument)
    if argument == Enumerated("dtype", FULL):
        return Enumerated("dtype", precision)
    return argument


def _widened(fragment: Fragment) -> Fragment:
    """Return the fragment with casts to float32 of what it reads."""
    wide = {slot.name: f"{slot.name} wide" for slot in fragment.slots}
    to_full = Enumerated("dtype", FULL)
    casts = [
        Node(wide[slot.name], WIDENED, (Ref(slot.name), to_full), shape=slot.shape, dtype=FULL)
        for slot in fragment.slots
    ]
    names = {node.name: wide.get(node.name, node.name) for node in fragment.graph.nodes}
    rest = [renamed(n, n.name, names) for n in fragment.graph.nodes if n.operation != INPUT]
    outputs = tuple((key, names[name]) for key, name in fragment.graph.outputs)
    return replace(fragment, graph=Graph((*fragment.slots, *casts, *rest), outputs))
