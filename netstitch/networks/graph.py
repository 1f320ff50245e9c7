"""A captured network as data: nodes in topological order, with operations, shapes and cost.

Nothing here holds a tensor: weights are named, and live beside the graph (see `network.py`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from netstitch.networks.feature_layout import BATCH as BATCH
from netstitch.networks.feature_layout import Dimension as Dimension
from netstitch.networks.feature_layout import FeatureLayout, find_layout

INPUT = "input"
"""The operation of the one node that stands for the task's input."""

WEIGHT = "weight"
"""The operation of nodes that stand for a parameter, buffer or constant; `path` is its key."""


@dataclass(frozen=True)
class Ref:
    """An argument that is the value of another node."""

    name: str


@dataclass(frozen=True)
class Enumerated:
    """An argument that is a member of one of torch's enumerations, such as dtype float32."""

    kind: str  # "dtype", "memory_format" or "layout"
    value: str


Argument = Ref | Enumerated | None | bool | int | float | str | tuple["Argument", ...]


@dataclass(frozen=True)
class Node:
    """One step of a network.

    Attributes:
        name: unique in its graph, a Python identifier.
        operation: INPUT, WEIGHT, or an allow-listed operation such as "aten.conv2d.default".
        shape: sizes of the tensor, dimension 0 first; None where the value is no single tensor.
        path: the module path a user knows the step by ("layer3.4.conv2"); for weights, their key.
        multiply_adds: at batch 1.
        elementwise: elements that other operations touch, at batch 1.
        point: it can be stitched: it depends on the input, has the batch first and a known layout.
        channels: the axis of a point's channels.
    """

    name: str
    operation: str
    args: tuple[Argument, ...] = ()
    kwargs: Mapping[str, Argument] = field(default_factory=dict)
    shape: tuple[Dimension, ...] | None = None
    dtype: str | None = None
    path: str = ""
    multiply_adds: int = 0
    elementwise: int = 0
    point: bool = False
    channels: int = 1

    @property
    def layout(self) -> FeatureLayout | None:
        """The layout of a point's features; None where the node is no point."""
        return find_layout(self.shape, self.channels) if self.point else None

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the nodes this one reads, in order of first use, without repeats."""
        return tuple(dict.fromkeys(references((self.args, tuple(self.kwargs.values())))))


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order, and the outputs: pairs of key and node name.

    A single output has the key None where the network's output is one tensor.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[tuple[str | None, str], ...]

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """The nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def input(self) -> Node:
        """The node that stands for the task's input."""
        return next(node for node in self.nodes if node.operation == INPUT)

    @cached_property
    def points(self) -> tuple[Node, ...]:
        """The nodes that can be stitched, in topological order."""
        return tuple(node for node in self.nodes if node.point)

    @cached_property
    def output_keys(self) -> tuple[str | None, ...]:
        """The keys of the outputs, in order."""
        return tuple(key for key, _ in self.outputs)

    def output_shape(self, key: str | None) -> tuple[Dimension, ...]:
        """Return the shape of the output with a key; of the first one where none has it."""
        name = dict(self.outputs).get(key, self.outputs[0][1])
        return self.by_name[name].shape or ()

    @cached_property
    def multiply_adds(self) -> int:
        """Multiply-adds at batch 1."""
        return sum(node.multiply_adds for node in self.nodes)


def references(argument: Argument) -> Iterator[str]:
    """Yield the names of the nodes that an argument refers to, nested ones included, in order."""
    if isinstance(argument, Ref):
        yield argument.name
    elif isinstance(argument, tuple):
        for item in argument:
            yield from references(item)


def rename(argument: Argument, names: Mapping[str, str]) -> Argument:
    """Return the same argument with its references renamed."""
    if isinstance(argument, Ref):
        return Ref(names[argument.name])
    if isinstance(argument, tuple):
        return tuple(rename(item, names) for item in argument)
    return argument
