"""A check that the operations of a graph take their arguments, without computing anything.

Shapes are propagated on tensors that have no memory, so that neither a wrong argument in an edited
file nor one that asks for terabytes gets as far as a computation.
"""

from collections.abc import Mapping

import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
    UnsupportedOperatorException,
)

from netstitch.networks.graph import BATCH, INPUT, WEIGHT, Graph, Node
from netstitch.networks.module import to_torch
from netstitch.networks.operations import resolve
from netstitch.text import one_line

SAMPLES = 11
"""The batch that shapes are propagated for; a prime, that no fixed size is by chance."""

MOST = 2**30
"""Numbers that a tensor may hold for one sample."""

_UNKNOWN = (
    DataDependentOutputException,
    DynamicOutputShapeException,
    UnsupportedOperatorException,
    NotImplementedError,
)
"""The error raised where a shape depends on values, or an operation cannot tell it."""


def check_arguments(graph: Graph) -> None:
    """Raise ValueError, naming the node, where an operation does not take its arguments.

    The same holds where it gives another shape or type than its node says, or a tensor too large
    for any memory.
    """
    values: dict[str, object] = {}
    with FakeTensorMode(allow_fallback_kernels=False), torch.no_grad():
        for node in graph.nodes:
            if node.operation in (INPUT, WEIGHT):
                values[node.name] = _tensor(node)
            elif all(name in values for name in node.inputs):
                try:
                    values[node.name] = _result(node, values)
                except _UNKNOWN:
                    continue  # and so is what reads it


def _tensor(node: Node) -> torch.Tensor:
    sizes = [SAMPLES if size == BATCH else size for size in node.shape or ()]
    try:
        found = torch.empty(sizes, dtype=vars(torch)[str(node.dtype)])  # type: ignore[arg-type]
    except (RuntimeError, TypeError, OverflowError, KeyError) as error:
        raise ValueError(f"node {node.name!r} has no shape and type that can be") from error
    _check(node, found)
    return found


def _result(node: Node, values: Mapping[str, object]) -> object:
    args = [to_torch(argument, values) for argument in node.args]
    kwargs = {key: to_torch(argument, values) for key, argument in node.kwargs.items()}
    if node.operation == "getitem" and not (
        len(args) == 2 and isinstance(args[0], tuple | list) and _is_whole(args[1])
    ):
        raise ValueError(f"node {node.name!r} ({node.operation}) takes a list and an index")
    if node.operation.startswith("int.") and not all(_is_whole(one) for one in args):
        raise ValueError(f"node {node.name!r} ({node.operation}) takes integers only")
    try:
        found = resolve(node.operation)(*args, **kwargs)
    except _UNKNOWN:
        raise
    except Exception as error:  # whatever torch says of arguments that nobody captured
        raise ValueError(
            f"node {node.name!r} ({node.operation}) does not take its arguments "
            f"({one_line(error):.120})"
        ) from error
    _check(node, found)
    return found


def _check(node: Node, found: object) -> None:
    """Raise ValueError where a value is not what its node says."""
    several = isinstance(found, tuple | list)
    for one in found if isinstance(found, tuple | list) else [found]:
        if isinstance(one, torch.Tensor) and one.numel() > MOST * SAMPLES:
            raise ValueError(f"node {node.name!r} ({node.operation}) is too large to be held")
    if not (several or isinstance(found, torch.Tensor | bool | float) or _is_whole(found)):
        raise ValueError(f"node {node.name!r} ({node.operation}) does not give a tensor")
    if node.shape is not None and not _agrees(node, found):
        given = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise ValueError(
            f"node {node.name!r} ({node.operation}) gives {given} for {SAMPLES} samples; its entry "
            f"says {node.dtype} {node.shape}"
        )


def _agrees(node: Node, found: object) -> bool:
    shape = node.shape or ()
    return (
        isinstance(found, torch.Tensor)
        and str(found.dtype) == f"torch.{node.dtype}"
        and len(found.shape) == len(shape)
        # A size that is another expression of the batch is whatever comes of it.
        and all(
            own == (SAMPLES if says == BATCH else says)
            for own, says in zip(found.shape, shape, strict=True)
            if says == BATCH or isinstance(says, int)
        )
    )


def _is_whole(value: object) -> bool:
    return type(value) is int and abs(value) < 2**63
