"""Operations whose result may take the place of a value that nothing reads any more.

An activation moves each number from memory and back; written into the memory it came from, it
moves fewer, and needs no new memory, which the system would have to clear. The numbers are the
same: it is decided so that layout and type of the result are what they would be in new memory.
"""

from collections.abc import Collection, Mapping
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
    """One way to do an operation in the memory of an operand.

    argument: position of the operand, 0 or 1. register: where the operand is found.
    function: takes the operand first, and the other one where there is one.
    """

    argument: int
    register: int
    function: Any


def makes_new_memory(node: Node) -> bool:
    """Whether a node's value is one tensor that shares memory with nothing else."""
    return KINDS.get(node.operation) in _NEW_MEMORY and node.shape is not None


def views(graph: Graph, passing: Collection[str] = ()) -> dict[str, frozenset[str]]:
    """For each node, the nodes whose memory its value may share.

    passing: operations that may be left out, so that what they read stands for them.
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
    """For each node the operands that it may overwrite.

    An operand that stands for a value from outside (INPUT) may be overwritten only where the
    caller owns it. registers: by name of node.
    """
    shared = views(graph)
    order = {node.name: index for index, node in enumerate(graph.nodes)}
    readers: dict[str, list[str]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node.name)
    results = {name for _, name in graph.outputs}

    def dies(name: str, at: Node) -> bool:
        """Whether nothing reads a value, or a view of it, once a node was computed."""
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
    """Positions of the operands whose place the result of a node could take."""
    args = node.args
    if node.operation in _OF_ONE:
        return [0] if isinstance(args[0], Ref) and not node.kwargs else []
    if node.operation not in _OF_TWO or len(args) != 2 or node.kwargs or args[0] == args[1]:
        return []
    places = (0, 1) if node.operation in _EITHER else (0,)
    return [place for place in places if isinstance(args[place], Ref)]


def _in_place(operation: str) -> Any:
    _, packet, overload = operation.split(".")
    return getattr(getattr(torch.ops.aten, f"{packet}_"), overload)


def takes_the_place(way: InPlace, args: list[Any]) -> bool:
    """Whether the result in an operand's memory is laid out as it would be in new memory."""
    operand = args[way.argument]
    if not _has_one_layout(operand):
        return False
    other = args[1 - way.argument] if len(args) == 2 else None
    if way.argument == 0 or not isinstance(other, Tensor):
        return True
    # New memory would be laid out like the first operand.
    return bool(other.stride() == operand.stride() and other.shape == operand.shape)


def _has_one_layout(tensor: Tensor) -> bool:
    """Whether a tensor fills its memory in one layout alone: those of size one fit several."""
    if tensor.dim() != 4:
        return tensor.is_contiguous()
    return tensor.is_contiguous() != tensor.is_contiguous(memory_format=torch.channels_last)
