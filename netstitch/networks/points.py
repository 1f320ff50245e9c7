"""Which tensors of a network can be stitched.

A point depends on the input, has the batch in dimension 0, and a known channel axis in the layout
that stitches read: (batch, channels) or (batch, channels, height, width). Two axes are followed
from the input through every operation: where the batch is (as the outermost factor of that axis),
and where the channels are. An operation that is not understood makes both unknown, so that a
tensor is never called a point by guess: attention maps, windows folded into the batch, and
channels-last tensors are none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from netstitch.networks.adapter import adapter_nodes
from netstitch.networks.graph import BATCH, INPUT, WEIGHT, Argument, Dimension, Node, references
from netstitch.networks.operations import KINDS, Kind

Shape = Sequence[Dimension]


@dataclass(frozen=True)
class Layout:
    """Axes of the batch and of the channels; None where unknown."""

    batch: int | None
    channels: int | None


@dataclass(frozen=True)
class PointStep:
    """One operation, with layout and shape of those inputs that depend on the network's input.

    names: the nodes that these inputs are; output: None where the result is a tuple of tensors.
    """

    operation: str
    args: tuple[Argument, ...]
    names: tuple[str, ...]
    layouts: tuple[Layout, ...]
    shapes: tuple[Shape, ...]
    output: Shape | None


UNKNOWN = Layout(None, None)
STITCHED = Layout(0, 1)


def find_points(nodes: Sequence[Node]) -> frozenset[str]:
    """Names of the nodes that are points; `nodes` are in topological order."""
    layouts: dict[str, Layout] = {}  # of the nodes that depend on the input
    shapes: dict[str, Shape] = {}
    for node in nodes:
        shapes[node.name] = node.shape or ()
        if node.operation == INPUT:
            layouts[node.name] = STITCHED
            continue
        sources = tuple(name for name in node.inputs if name in layouts)
        if not sources or node.operation == WEIGHT or node.operation in _WITHOUT_CONTENT:
            continue
        step = PointStep(
            node.operation,
            node.args,
            sources,
            tuple(layouts[name] for name in sources),
            tuple(shapes[name] for name in sources),
            node.shape,
        )
        layouts[node.name] = _RULES.get(KINDS[node.operation], _not_understood)(step)
        if node.shape is None:  # parts of a tuple have the axes of the whole
            shapes[node.name] = step.shapes[0]
    adapting = adapter_nodes(nodes)
    return frozenset(
        node.name
        for node in nodes
        if node.operation != INPUT
        and node.name not in adapting
        and layouts.get(node.name) == STITCHED
        and stitchable(node.shape, node.dtype)
    )


def stitchable(shape: Shape | None, dtype: str | None) -> bool:
    """Whether stitches read tensors of this shape and type, whatever they hold."""
    return (
        shape is not None
        and len(shape) in (2, 4)
        and shape[0] == BATCH
        and all(isinstance(size, int) and size > 0 for size in shape[1:])
        and dtype == "float32"
    )


def _not_understood(step: PointStep) -> Layout:
    return UNKNOWN


def _alone(step: PointStep, position: int) -> bool:
    """Whether an argument, and no other one, depends on the network's input."""
    others = (*step.args[:position], *step.args[position + 1 :])
    own = tuple(references(step.args[position : position + 1]))
    return step.names == own and not set(own) & set(references(others))


def _convolved(step: PointStep) -> Layout:
    # Convolutions read (batch, channels, ...) by definition, whatever axis 1 meant before.
    batch = step.layouts[0].batch if _alone(step, 0) else None
    return Layout(0, 1) if batch == 0 else UNKNOWN


def _linear(step: PointStep) -> Layout:
    if not _alone(step, 1 if step.operation == "aten.addmm.default" else 0):
        return UNKNOWN
    last = len(step.output or ()) - 1
    batch = step.layouts[0].batch
    return Layout(None if batch == last else batch, last)


def _product(step: PointStep) -> Layout:
    """Matrix products and attention mix the last two axes and keep those before them."""
    if step.operation == "aten.einsum.default":  # mixes any axes
        return UNKNOWN
    rank = len(step.output or ())
    batches = {
        None if layout.batch is None else layout.batch + rank - len(shape)
        for layout, shape in zip(step.layouts, step.shapes, strict=True)
    }
    batch = batches.pop() if len(batches) == 1 else None
    return Layout(batch if batch is not None and batch < rank - 2 else None, None)


def _aligned(step: PointStep) -> Layout:
    """Elementwise operations keep axes, which must agree between their inputs."""
    if any(len(shape) != len(step.output or ()) for shape in step.shapes):
        return UNKNOWN
    batches = {layout.batch for layout in step.layouts}
    channels = {layout.channels for layout in step.layouts} - {None}
    return Layout(
        batches.pop() if len(batches) == 1 else None,
        channels.pop() if len(channels) == 1 else None,
    )


def _joined(step: PointStep) -> Layout:
    """Joins keep axes, but along the batch they set samples of different kinds side by side."""
    axis = step.args[1] if len(step.args) > 1 else 0
    layout = _aligned(step) if step.operation == "aten.cat.default" else UNKNOWN
    along = isinstance(axis, int) and layout.batch == axis % len(step.output or (0,))
    return UNKNOWN if along else layout


def _normalised(step: PointStep) -> Layout:
    if not _alone(step, 0):
        return UNKNOWN
    if "batch_norm" in step.operation or "group_norm" in step.operation:
        return Layout(step.layouts[0].batch, 1)
    return step.layouts[0]


def _first(step: PointStep) -> Layout:
    return step.layouts[0]


def _reduced(step: PointStep) -> Layout:
    """Reductions drop the axes that they name, or keep them with size 1."""
    if step.output is None:
        return UNKNOWN
    position = 2 if step.operation in _ORDER_FIRST else 1
    axes = step.args[position] if len(step.args) > position else None
    axes = axes if isinstance(axes, tuple) else (axes,)
    rank = len(step.shapes[0])
    gone = [axis % rank for axis in axes if isinstance(axis, int)]
    if not gone or len(gone) != len(axes) or step.layouts[0].batch in gone:
        return UNKNOWN
    if len(step.output) == rank:
        return step.layouts[0]
    return _without(step, gone) if len(step.output) == rank - len(gone) else UNKNOWN


def _without(step: PointStep, gone: Sequence[int]) -> Layout:
    """The layout of the first input once the axes `gone` are dropped."""
    dropped = {axis % len(step.shapes[0]) for axis in gone}

    def moved(axis: int | None) -> int | None:
        if axis is None or axis in dropped:
            return None
        return axis - sum(other < axis for other in dropped)

    return Layout(moved(step.layouts[0].batch), moved(step.layouts[0].channels))


def _permuted(step: PointStep) -> Layout:
    rank = len(step.shapes[0])
    order = list(range(rank))
    if step.operation == "aten.permute.default" and isinstance(step.args[1], tuple):
        order = [axis % rank for axis in step.args[1] if isinstance(axis, int)]
    elif step.operation == "aten.transpose.int":
        first, second = (axis % rank for axis in step.args[1:3] if isinstance(axis, int))
        order[first], order[second] = order[second], order[first]
    elif step.operation == "aten.t.default":
        order.reverse()
    else:
        return UNKNOWN
    batch, channels = step.layouts[0].batch, step.layouts[0].channels
    return Layout(
        None if batch is None else order.index(batch),
        None if channels is None else order.index(channels),
    )


def _reshaped(step: PointStep) -> Layout:
    """Reshapes keep row-major order, so a batch that is outermost stays outermost."""
    before, after, channels = step.shapes[0], step.output or (), step.layouts[0].channels
    if step.layouts[0].batch != 0 or not after or isinstance(after[0], int):
        return UNKNOWN
    if len(after) == 2 and after[0] == BATCH:
        return STITCHED  # one row of features an image, however they are arranged
    if channels is None or before[0] != after[0]:
        return Layout(0, None)
    # The channel axis survives where the same size stands before the same number of elements.
    size, elements = before[channels], _elements(before[channels + 1 :])
    for axis in range(1, len(after)):
        if after[axis] == size and elements == _elements(after[axis + 1 :]):
            return Layout(0, axis)
    return Layout(0, None)


def _elements(sizes: Shape) -> int | None:
    """The product of static sizes; None where one of them follows the batch."""
    static = [size for size in sizes if isinstance(size, int)]
    return prod(static) if len(static) == len(sizes) else None


def _part(step: PointStep) -> Layout:
    """Slices and padding keep axes; what takes one element of an axis drops it."""
    layout, before, after = step.layouts[0], step.shapes[0], step.output
    if step.operation == "getitem":
        return layout
    if step.operation in _ONE_OF_AN_AXIS:
        axis = step.args[1] if len(step.args) > 1 else 0
        return _without(step, [axis]) if isinstance(axis, int) else UNKNOWN
    if step.operation in _WITH_AXES_THIRD:
        axes = step.args[2] if len(step.args) > 2 else 0  # a roll without axes moves the batch too
        axes = axes if isinstance(axes, tuple) else (axes,)
        moved = [axis % len(before) for axis in axes if isinstance(axis, int)]
        return layout if moved and layout.batch not in moved else UNKNOWN
    if step.operation in _KEEPING_AXES and after is not None and len(after) == len(before):
        # Where the batch has another size, samples were left out or added.
        whole = layout.batch is None or after[layout.batch] == before[layout.batch]
        return layout if whole else UNKNOWN
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

_RULES: Mapping[Kind, Callable[[PointStep], Layout]] = {
    Kind.CONVOLUTION: _convolved,
    Kind.LINEAR: _linear,
    Kind.MATRIX_PRODUCT: _product,
    Kind.ATTENTION: _product,
    Kind.ELEMENTWISE: _aligned,
    Kind.NORM: _normalised,
    Kind.POOLING: _first,
    Kind.REDUCTION: _reduced,
    Kind.RESHAPE: _reshaped,
    Kind.PERMUTE: _permuted,
    Kind.JOIN: _joined,
    Kind.PART: _part,
    Kind.COPY: _first,
}
