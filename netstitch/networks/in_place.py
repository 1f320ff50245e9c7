"""In-place operations: results in the memory of a value that nothing reads any more.

An activation that writes where it reads moves fewer bytes, and needs no new memory, which the
system would have to clear. The numbers are the same, and so are the result's layout and type.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from netstitch.networks.graph import INPUT, WEIGHT, Graph, Node, Ref
from netstitch.networks.operations import KINDS, Kind

_ACTIVATIONS = (
    "relu relu6 hardtanh hardswish hardsigmoid silu sigmoid tanh elu leaky_relu gelu mish clamp "
    "clamp_min clamp_max"
)
_OF_ONE = frozenset(f"aten.{name}.default" for name in _ACTIVATIONS.split())
_OF_TWO = frozenset({"aten.add.Tensor", "aten.mul.Tensor", "aten.sub.Tensor", "aten.div.Tensor"})
_EITHER = frozenset({"aten.add.Tensor", "aten.mul.Tensor"})
"""Those of two whose operands may change places: sums and products do not depend on it."""

_NEW_MEMORY = frozenset(
    {
        Kind.CONVOLUTION,
        Kind.LINEAR,
        Kind.MATRIX_PRODUCT,
        Kind.ELEMENTWISE,
        Kind.NORM,
        Kind.POOLING,
        Kind.REDUCTION,
        Kind.JOIN,
    }
)
"""Kinds of operations that never give what they read, or a view of it."""


@dataclass(frozen=True, slots=True)
class InPlace:
    """One way to compute an operation in the memory of an operand.

    Attributes:
        argument: Position of the operand, 0 or 1.
        register: Where the operand is found.
        function: Takes the operand first, then the other one where there are two.
    """

    argument: int
    register: int
    function: Callable[..., Tensor]


def makes_new_memory(node: Node) -> bool:
    """Return whether a node's value is one tensor that shares memory with nothing else."""
    return KINDS.get(node.operation) in _NEW_MEMORY and node.shape is not None


def views(graph: Graph, passing: Collection[str] = ()) -> dict[str, frozenset[str]]:
    """Return, by node, the nodes whose memory its value may share.

    Args:
        graph: Any.
        passing: Operations that may be left out, so that what they read stands for them.
    """
    found: dict[str, frozenset[str]] = {}
    for node in graph.nodes:
        shared: set[str] = set()
        if KINDS.get(node.operation) not in _NEW_MEMORY or node.operation in passing:
            for name in node.inputs:
                shared |= {name, *found[name]}
        found[node.name] = frozenset(shared)
    return found


def overwrites(graph: Graph, registers: Mapping[str, int]) -> dict[str, tuple[InPlace, ...]]:
    """Return, by node, how it may overwrite an operand.

    An operand that is an input may be overwritten only where the caller owns it.

    Args:
        graph: Any.
        registers: By name of node.
    """
    shared = views(graph)
    order = {node.name: index for index, node in enumerate(graph.nodes)}
    readers: dict[str, list[str]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node.name)
    results = {name for _, name in graph.outputs}

    def dies(name: str, at: Node) -> bool:
        """Return whether nothing reads a value, or a view of it, once a node was computed."""
        others = [reader for reader in readers[name] if reader != at.name]
        return name not in results and all(
            order[other] < order[at.name] and name not in shared[other] for other in others
        )

    found = {}
    for node in graph.nodes:
        ways = []
        for argument in _candidates(node):
            operand = node.args[argument]
            assert isinstance(operand, Ref)
            source = graph.by_name[operand.name]
            owned = source.operation == INPUT or makes_new_memory(source)
            same = (source.shape, source.dtype) == (node.shape, node.dtype)
            if source.operation != WEIGHT and owned and same and dies(source.name, node):
                function = _in_place(node.operation)
                ways.append(InPlace(argument, registers[source.name], function))
        if ways:
            found[node.name] = tuple(ways)
    return found


def _candidates(node: Node) -> list[int]:
    """Return the positions of the operands in whose memory a node could be computed."""
    args = node.args
    if node.operation in _OF_ONE:
        return [0] if isinstance(args[0], Ref) and not node.kwargs else []
    if node.operation not in _OF_TWO or len(args) != 2 or node.kwargs or args[0] == args[1]:
        return []
    positions = (0, 1) if node.operation in _EITHER else (0,)
    return [position for position in positions if isinstance(args[position], Ref)]


def _in_place(operation: str) -> Callable[..., Tensor]:
    _, packet, overload = operation.split(".")
    function: Callable[..., Tensor] = getattr(getattr(torch.ops.aten, f"{packet}_"), overload)
    return function


def takes_the_place(way: InPlace, args: list[Any]) -> bool:
    """Return whether the result in an operand's memory is laid out as it would be in new memory."""
    operand = args[way.argument]
    if not _has_one_layout(operand):
        return False
    other = args[1 - way.argument] if len(args) == 2 else None
    if way.argument == 0 or not isinstance(other, Tensor):
        return True
    # New memory would be laid out like the first operand.
    return bool(other.stride() == operand.stride() and other.shape == operand.shape)


def _has_one_layout(tensor: Tensor) -> bool:
    """Return whether a tensor fits one layout alone: those with sizes of one fit several."""
    if tensor.dim() != 4:
        return tensor.is_contiguous()
    return tensor.is_contiguous() != tensor.is_contiguous(memory_format=torch.channels_last)
