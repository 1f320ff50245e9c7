"""Checks of inputs: all sizes but the batch are those that the networks were captured with.

What a network was trained for, its cost and its points follow from these. The length of sequences
(n, t, c) may differ where capture found that the network computes the same as its model then too.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from netstitch.errors import NetstitchError
from netstitch.networks.graph import INPUT, Dimension, Graph

Batch = Tensor | Sequence[Tensor]
"""Inputs (batch, ...), or a pair whose first element they are, as data loaders give."""

FREE_LENGTH = "free_length"
"""Keyword of an input node whose dimension 1 may have any size."""


def with_free_length(graph: Graph) -> Graph:
    """Return the graph as one of a network that takes sequences of any length."""
    nodes = (
        replace(node, kwargs={FREE_LENGTH: True}) if node.operation == INPUT else node
        for node in graph.nodes
    )
    return Graph(tuple(nodes), graph.outputs)


def check_inputs(
    graphs: Sequence[Graph], shape: Sequence[Dimension], what: str, error: type[NetstitchError]
) -> None:
    """Raise `error` unless the networks, which have one input shape, take inputs of a shape.

    The batch is the first size; `what` is what messages call the inputs.
    """
    expected = graphs[0].input.shape or ()
    free = all(graph.input.kwargs.get(FREE_LENGTH) is True for graph in graphs)
    if _sizes(shape, free) == _sizes(expected, free):
        return
    if tuple(shape) == tuple(expected[1:]):
        hint = "that is one sample: give batches of them, sample.unsqueeze(0) makes one"
    else:
        hint = "give inputs of that size, or capture the networks anew with an example of this one"
    raise error(
        f"{what} has shape {_shown(shape)}, and the networks were captured for {_shown(expected)}; "
        f"{hint}"
    )


def _sizes(shape: Sequence[Dimension], free: bool) -> tuple[Dimension, ...]:
    """Return the number of sizes, and those that must agree."""
    start = 2 if free and len(shape) == 3 else 1
    return (len(shape), *shape[start:])


def _shown(shape: Sequence[Dimension]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def check_one_task(
    names: Sequence[str], graphs: Sequence[Graph], error: type[NetstitchError]
) -> None:
    """Raise `error` unless networks take inputs of one shape and give outputs of equal shapes."""
    first, (expected, *others) = names[0], graphs
    for name, graph in zip(names[1:], others, strict=True):
        if graph.input.shape != expected.input.shape:
            shapes = [_shown(each.input.shape or ()) for each in (expected, graph)]
            raise error(
                f"{first} takes inputs of shape {shapes[0]} and {name} of {shapes[1]}; capture all "
                "networks with the same example"
            )
        if _outputs(graph) != _outputs(expected):
            raise error(
                f"{first} gives {', '.join(_outputs(expected))} and {name} gives "
                f"{', '.join(_outputs(graph))}; networks that are joined must do the same task, "
                "with outputs of the same names and shapes"
            )


def _outputs(graph: Graph) -> list[str]:
    """Return the outputs in words, in the order of their names."""
    shapes = [(key, _shown(graph.by_name[name].shape or ())) for key, name in graph.outputs]
    return sorted(
        f"one tensor {shape}" if key is None else f"{key!r} {shape}" for key, shape in shapes
    )


def read_batches(
    batches: Iterable[Batch], error: type[NetstitchError]
) -> Iterator[tuple[int, Tensor, tuple[Any, ...]]]:
    """Yield the number of each batch, from 1, its inputs, and what else it holds.

    Raises `error`, with what to give instead, unless these are batches of floating-point inputs.
    """
    _check_several(batches, error)
    for number, batch in enumerate(batches, start=1):
        together = isinstance(batch, tuple | list) and bool(batch)
        values, rest = (batch[0], tuple(batch[1:])) if together else (batch, ())
        if not isinstance(values, Tensor):
            way = ""
            if type(values).__module__.partition(".")[0] == "numpy":
                way = "; give torch.from_numpy(array) of each"
            elif isinstance(values, dict):
                key = next(iter(values), "inputs")
                way = f"; give the inputs of each, batch[{key!r}] for example"
            raise error(
                f"batch {number} is a {type(values).__name__}: expected a tensor of inputs, or a "
                f"tuple that starts with one{way}"
            )
        if not values.is_floating_point() or values.dim() == 0:
            raise error(
                f"batch {number} has dtype {_name(values.dtype)} and shape {tuple(values.shape)}: "
                "expected floating-point inputs (batch, ...); convert them, with .float() for "
                "example, or if these are labels, give [(inputs, labels)]"
            )
        yield number, values, rest


def fitting_batches(
    graphs: Sequence[Graph],
    batches: Iterable[Batch],
    error: type[NetstitchError],
    dtype: torch.dtype | None = None,
) -> Iterable[Batch]:
    """Return the same batches, each checked as it is read; a collection keeps its length.

    Inputs must have the dtype given, or any floating-point one. Reading raises `error` as
    `read_batches` and `check_inputs` do.
    """
    _check_several(batches, error)
    given = _Fitting(tuple(graphs), batches, error, dtype)
    return iter(given) if isinstance(batches, Iterator) else given


@dataclass(frozen=True)
class _Fitting:
    graphs: tuple[Graph, ...]
    batches: Iterable[Batch]
    error: type[NetstitchError]
    dtype: torch.dtype | None

    def __iter__(self) -> Iterator[Batch]:
        for number, values, rest in read_batches(self.batches, self.error):
            if values.dtype != (self.dtype or values.dtype):
                raise self.error(
                    f"batch {number} is {_name(values.dtype)}, and the networks compute in "
                    f"{_name(self.dtype)}; convert the inputs, .float() makes float32 of them"
                )
            check_inputs(self.graphs, values.shape, f"batch {number}", self.error)
            yield (values, *rest)

    def __len__(self) -> int:
        return len(self.batches)  # type: ignore[arg-type]  # TypeError where there is none


def _check_several(batches: object, error: type[NetstitchError]) -> None:
    if isinstance(batches, Tensor):
        raise error(
            f"the batches are one tensor of shape {tuple(batches.shape)}; expected several: give "
            "tensor.split(64), or [tensor] for a single batch"
        )
    # What has numbered items is iterable too, such as a data set.
    if not (hasattr(batches, "__iter__") or hasattr(batches, "__getitem__")):
        way = "; give samples.batches(64)" if hasattr(batches, "batches") else ""
        raise error(
            f"the batches are a {type(batches).__name__}; expected a list of tensors, a data "
            f"loader, or another iterable that gives inputs (batch, ...){way}"
        )


def _name(dtype: torch.dtype | None) -> str:
    return str(dtype).removeprefix("torch.")
