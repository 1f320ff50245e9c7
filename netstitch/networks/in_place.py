"""In-place operations: results in the memory of a value that nothing reads any more.

They move fewer bytes and need no new memory. Numbers, layout and type of results are the same.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from netstitch.networks.graph import INPUT, Graph, Node, Ref
from netstitch.networks.operations import KINDS, Kind

_ACTIVATIONS = (
    "relu relu6 hardtanh hardswish hardsigmoid silu sigmoid tanh elu leaky_relu gelu mish clamp "
    "clamp_min clamp_max"
)
_OF_ONE = frozenset(f"aten.{name}.default" for name in _ACTIVATIONS.split())
_OF_TWO = frozenset({"aten.add.Tensor", "aten.mul.Tensor", "aten.sub.Tensor", "aten.div.Tensor"})
_EITHER = frozenset({"aten.add.Tensor", "aten.mul.Tensor"})
"""Operations of two whose operands may change places: sums and products do not depend on it."""

_NEW_MEMORY = {Kind.CONVOLUTION, Kind.LINEAR, Kind.MATRIX_PRODUCT, Kind.ELEMENTWISE}
_NEW_MEMORY |= {Kind.NORM, Kind.POOLING, Kind.REDUCTION, Kind.JOIN}
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

    Operations that are `passing` may be left out, so that what they read stands for them.
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
    """Return, by node, how it may overwrite an operand; `registers` are by name of node.

    An operand that is an input may be overwritten only where the caller owns it.
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

    found: dict[str, tuple[InPlace, ...]] = {}
    for node in graph.nodes:
        for argument, operand in _candidates(node):
            source = graph.by_name[operand]
            owned = source.operation == INPUT or makes_new_memory(source)
            same = (source.shape, source.dtype) == (node.shape, node.dtype)
            if owned and same and dies(operand, node):
                _, packet, overload = node.operation.split(".")
                function = getattr(getattr(torch.ops.aten, f"{packet}_"), overload)
                way = InPlace(argument, registers[operand], function)
                found[node.name] = (*found.get(node.name, ()), way)
    return found


def _candidates(node: Node) -> list[tuple[int, str]]:
    """Return the operands in whose memory a node could be computed, by position."""
    of_two = node.operation in _OF_TWO and len(node.args) == 2 and node.args[0] != node.args[1]
    if node.kwargs or not (of_two or node.operation in _OF_ONE):
        return []
    operands = enumerate(node.args[: 2 if node.operation in _EITHER else 1])
    return [(position, one.name) for position, one in operands if isinstance(one, Ref)]


def takes_the_place(way: InPlace, args: Sequence[object]) -> bool:
    """Return whether the result in an operand's memory is laid out as it would be in new memory."""
    operand = args[way.argument]
    assert isinstance(operand, Tensor)
    last = operand.dim() == 4 and operand.is_contiguous(memory_format=torch.channels_last)
    if operand.is_contiguous() == last:  # none of the two layouts, or both, with sizes of one
        return False
    other = args[1 - way.argument] if len(args) == 2 else None
    if way.argument == 0 or not isinstance(other, Tensor):
        return True
    # New memory would be laid out like the first operand.
    return bool(other.stride() == operand.stride() and other.shape == operand.shape)
