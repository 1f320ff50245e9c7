"""Points: the tensors of a network that can be stitched.

A point depends on the input, has the batch in dimension 0, and a known channel axis in one of
`feature_layout.LAYOUTS`. The axes of batch (its outermost factor) and channels are followed through
every operation; one that is not understood makes both unknown, so that nothing is taken for a point
by guess, such as attention maps, or windows folded into the batch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from netstitch.networks.adapter import adapter_nodes
from netstitch.networks.feature_layout import stitchable
from netstitch.networks.graph import BATCH, INPUT, WEIGHT, Argument, Dimension, Node, references
from netstitch.networks.operations import KINDS, Kind

Shape = Sequence[Dimension]


@dataclass(frozen=True)
class Axes:
    """Axes of the batch and of the channels; None where unknown."""

    batch: int | None
    channels: int | None


@dataclass(frozen=True)
class PointStep:
    """One operation, with the names, axes and shapes of inputs that depend on the network's input.

    The output's shape is empty where it is a tuple of tensors.
    """

    operation: str
    args: tuple[Argument, ...]
    names: tuple[str, ...]
    axes: tuple[Axes, ...]
    shapes: tuple[Shape, ...]
    output: Shape


UNKNOWN = Axes(None, None)
CHANNELS_SECOND = Axes(0, 1)


def find_points(nodes: Sequence[Node]) -> Mapping[str, int]:
    """Return the points among nodes in topological order, each with the axis of its channels."""
    known: dict[str, Axes] = {}  # of the nodes that depend on the input
    shapes: dict[str, Shape] = {}
    points: dict[str, int] = {}
    adapting = adapter_nodes(nodes)
    for node in nodes:
        shapes[node.name] = node.shape or ()
        if node.operation == INPUT:
            known[node.name] = CHANNELS_SECOND
            continue
        names = tuple(name for name in node.inputs if name in known)
        if not names or node.operation == WEIGHT or node.operation in _WITHOUT_CONTENT:
            continue
        axes, read = tuple(known[name] for name in names), tuple(shapes[name] for name in names)
        step = PointStep(node.operation, node.args, names, axes, read, node.shape or ())
        rule = _RULES.get(KINDS[node.operation])
        own = known[node.name] = UNKNOWN if rule is None else rule(step)
        if node.shape is None:  # parts of a tuple have the axes of the whole
            shapes[node.name] = read[0]
        fits = stitchable(node.shape, node.dtype, own.channels)
        if own.batch == 0 and own.channels is not None and fits and node.name not in adapting:
            points[node.name] = own.channels
    return points


def _named(step: PointStep, position: int, default: int | None = None) -> list[int]:
    """Return the axes of the first input that an argument names, counted from the front."""
    given = step.args[position] if len(step.args) > position else default
    rank = len(step.shapes[0])
    items = given if isinstance(given, tuple) else (given,)
    return [axis % rank for axis in items if isinstance(axis, int) and rank]


def _alone(step: PointStep, position: int) -> bool:
    """Return whether an argument, and no other one, depends on the network's input."""
    others = (*step.args[:position], *step.args[position + 1 :])
    own = tuple(references(step.args[position : position + 1]))
    return step.names == own and not set(own) & set(references(others))


def _convolved(step: PointStep) -> Axes:
    # Convolutions read (batch, channels, ...) by definition, whatever axis 1 meant before.
    return CHANNELS_SECOND if _alone(step, 0) and step.axes[0].batch == 0 else UNKNOWN


def _linear(step: PointStep) -> Axes:
    if not _alone(step, 1 if step.operation == "aten.addmm.default" else 0):
        return UNKNOWN
    last, batch = len(step.output) - 1, step.axes[0].batch
    return Axes(None if batch == last else batch, last)


def _product(step: PointStep) -> Axes:
    """Keep the axes before the last two, which matrix products and attention mix."""
    if step.operation == "aten.einsum.default":  # mixes any axes
        return UNKNOWN
    rank = len(step.output)
    batches = {
        None if axes.batch is None else axes.batch + rank - len(shape)
        for axes, shape in zip(step.axes, step.shapes, strict=True)
    }
    batch = batches.pop() if len(batches) == 1 else None
    return Axes(batch if batch is not None and batch < rank - 2 else None, None)


def _aligned(step: PointStep) -> Axes:
    """Keep axes through an elementwise operation, where its inputs agree."""
    if any(len(shape) != len(step.output) for shape in step.shapes):
        return UNKNOWN
    batches = {axes.batch for axes in step.axes}
    channels = {axes.channels for axes in step.axes} - {None}
    return Axes(
        batches.pop() if len(batches) == 1 else None,
        channels.pop() if len(channels) == 1 else None,
    )


def _joined(step: PointStep) -> Axes:
    """Keep axes through a join, unless it sets samples of different kinds side by side."""
    axes = _aligned(step) if step.operation == "aten.cat.default" else UNKNOWN
    return UNKNOWN if axes.batch in _named(step, 1, default=0) else axes


def _normalised(step: PointStep) -> Axes:
    if not _alone(step, 0):
        return UNKNOWN
    if "batch_norm" in step.operation or "group_norm" in step.operation:
        return Axes(step.axes[0].batch, 1)
    return step.axes[0]


def _reduced(step: PointStep) -> Axes:
    """Drop the axes that a reduction names, unless it keeps them with size 1."""
    rank, gone = len(step.shapes[0]), _named(step, 2 if step.operation in _ORDER_FIRST else 1)
    if not gone or not step.output or step.axes[0].batch in gone:
        return UNKNOWN
    if len(step.output) == rank:
        return step.axes[0]
    return _without(step, gone) if len(step.output) == rank - len(gone) else UNKNOWN


def _without(step: PointStep, gone: Sequence[int]) -> Axes:
    """Return the axes of the first input once the axes `gone` are dropped."""
    return _moved(step, [axis for axis in range(len(step.shapes[0])) if axis not in gone])


def _moved(step: PointStep, order: Sequence[int]) -> Axes:
    """Return the axes of the first input where those of `order` are the ones that are left."""
    places = {axis: place for place, axis in enumerate(order)}
    own = step.axes[0]
    return Axes(
        None if own.batch is None else places.get(own.batch),
        None if own.channels is None else places.get(own.channels),
    )


def _permuted(step: PointStep) -> Axes:
    order = list(range(len(step.shapes[0])))
    if step.operation == "aten.permute.default":
        order = _named(step, 1)
    elif step.operation == "aten.transpose.int":
        [first], [second] = _named(step, 1), _named(step, 2)
        order[first], order[second] = order[second], order[first]
    elif step.operation == "aten.t.default":
        order.reverse()
    else:
        return UNKNOWN
    return _moved(step, order)


def _reshaped(step: PointStep) -> Axes:
    """Follow axes through a reshape; the order is row-major, so an outermost batch stays so."""
    before, after, channels = step.shapes[0], step.output, step.axes[0].channels
    if step.axes[0].batch != 0 or not after or isinstance(after[0], int):
        return UNKNOWN
    if len(after) == 2 and after[0] == BATCH:
        return CHANNELS_SECOND  # one row of features an image, however they are arranged
    if channels is None or before[0] != after[0]:
        return Axes(0, None)
    # The channel axis survives where the same size stands before the same number of elements.
    size, elements = before[channels], _elements(before[channels + 1 :])
    for axis in range(1, len(after)):
        if after[axis] == size and elements == _elements(after[axis + 1 :]):
            return Axes(0, axis)
    return Axes(0, None)


def _elements(sizes: Shape) -> int | None:
    """Return the product of static sizes; None where one of them follows the batch."""
    static = [size for size in sizes if isinstance(size, int)]
    return prod(static) if len(static) == len(sizes) else None


def _part(step: PointStep) -> Axes:
    """Keep axes through slices and padding; drop the one of which an element is taken."""
    own, before, after = step.axes[0], step.shapes[0], step.output
    if step.operation == "getitem":
        return own
    if step.operation in _ONE_OF_AN_AXIS:
        return _without(step, _named(step, 1, default=0))
    if step.operation in _WITH_AXES_THIRD:
        moved = _named(step, 2, default=0)  # a roll without axes moves the batch too
        return own if moved and own.batch not in moved else UNKNOWN
    if step.operation in _KEEPING_AXES and len(after) == len(before):
        # Where the batch has another size, samples were left out or added.
        whole = own.batch is None or after[own.batch] == before[own.batch]
        return own if whole else UNKNOWN
    return UNKNOWN


# Sizes are numbers bound to the input's batch, and new tensors share its device: no content.
_WITHOUT_CONTENT = {name for name, kind in KINDS.items() if kind is Kind.SIZE} | {
    "aten.new_full.default"
}
_ORDER_FIRST = {"aten.linalg_vector_norm.default", "aten.linalg_norm.default"}
_ONE_OF_AN_AXIS = {"aten.select.int", "aten.unbind.int"}
_WITH_AXES_THIRD = {
    "aten.split.Tensor",
    "aten.split_with_sizes.default",
    "aten.chunk.default",
    "aten.roll.default",
}
_KEEPING_AXES = {
    "aten.slice.Tensor",
    "aten.narrow.default",
    "aten.pad.default",
    "aten.constant_pad_nd.default",
    "aten.reflection_pad1d.default",
    "aten.reflection_pad2d.default",
    "aten.replication_pad1d.default",
    "aten.replication_pad2d.default",
    "aten.expand.default",
    "aten.glu.default",
    "aten.pixel_shuffle.default",
    "aten.pixel_unshuffle.default",
    "aten.channel_shuffle.default",
    "aten.native_channel_shuffle.default",
}

_RULES: Mapping[Kind, Callable[[PointStep], Axes]] = {
    Kind.CONVOLUTION: _convolved,
    Kind.LINEAR: _linear,
    Kind.MATRIX_PRODUCT: _product,
    Kind.ATTENTION: _product,
    Kind.ELEMENTWISE: _aligned,
    Kind.NORM: _normalised,
    Kind.POOLING: lambda step: step.axes[0],
    Kind.REDUCTION: _reduced,
    Kind.RESHAPE: _reshaped,
    Kind.PERMUTE: _permuted,
    Kind.JOIN: _joined,
    Kind.PART: _part,
    Kind.COPY: lambda step: step.axes[0],
}
