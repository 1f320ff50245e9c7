"""Equivalence classes of points: the same features up to an affine map of each channel.

A convolution and the batch norm behind it, a clone, pooled features before and after they are
flattened: a stitch can read or make any of them equally well, since it absorbs the affine map
between them. To match each of them adds switches to the search and no further network.
"""

from collections.abc import Callable, Mapping
from math import isfinite

from netstitch.networks.graph import WEIGHT, Argument, Dimension, Graph, Node, Ref
from netstitch.networks.operations import KINDS, Kind


def equivalence_classes(graph: Graph) -> tuple[tuple[Node, ...], ...]:
    """Return the points in classes, each in the order of computation; most hold one point.

    A class is a chain, in which a point v follows a point u when both hold:

    - v is made of u and of constants alone, by a map that is affine, invertible and the same at
      every position, and that keeps channels apart: a batch norm in evaluation mode, adding or
      multiplying by a number or by one constant per channel, a copy, or a reshape of a single
      position ((b, c, 1, 1) and (b, c)). Scales that are weights are assumed not to be 0.
    - nothing but v reads u, and u is no output of the network.

    A stitch that reads u can then read v with another weight and bias. A stitch that replaces u can
    replace v, since only v reads u; if something else did, it would keep the original when v is
    replaced, and that is another network.
    """
    readers: dict[str, list[Node]] = {node.name: [] for node in graph.nodes}
    for node in graph.nodes:
        if not _is_size(node):  # sizes are the same everywhere
            for name in node.inputs:
                readers[name].append(node)
    outputs = {name for _, name in graph.outputs}
    found: dict[str, list[Node]] = {}  # by the name of the last point so far
    for node in graph.points:
        source = _continued(graph, node)
        alone = source is not None and source.name not in outputs and readers[source.name] == [node]
        chain = found.pop(source.name) if source is not None and alone else []
        found[node.name] = [*chain, node]
    first = {node.name: index for index, node in enumerate(graph.points)}
    return tuple(tuple(chain) for chain in sorted(found.values(), key=lambda c: first[c[0].name]))


def _continued(graph: Graph, node: Node) -> Node | None:
    """Return the point that `node` is an affine, invertible map of, channel by channel, if any."""
    read = [graph.by_name[name] for name in node.inputs]
    moving = [each for each in read if each.operation != WEIGHT and not _is_size(each)]
    rule, width = _RULES.get(node.operation), _width(node)
    if rule is None or not width or len(moving) != 1 or width != _width(moving[0]):
        return None
    constant = {each.name: each for each in read if each.operation == WEIGHT}
    return moving[0] if rule(moving[0], node, constant) else None


ConstantNodes = Mapping[str, Node]
"""The weights that an operation reads, by name."""


def _width(node: Node) -> tuple[Dimension, ...]:
    """Return the batch and the number of channels; nothing for a node that is no point."""
    layout, shape = node.layout, node.shape or ()
    return () if layout is None else (shape[0], shape[layout.channels])


def _is_size(node: Node) -> bool:
    return KINDS.get(node.operation) is Kind.SIZE


def _normalised(source: Node, node: Node, constants: ConstantNodes) -> bool:
    """Accept batch_norm(x, weight, bias, mean, variance, training, ...) of known statistics."""
    args = node.args
    known = [isinstance(arg, Ref) and arg.name in constants for arg in args[3:5]]
    return args[0] == Ref(source.name) and known == [True, True] and args[5] is False


def _kept(source: Node, node: Node, constants: ConstantNodes) -> bool:
    """Accept a copy, or what keeps values wherever it keeps the shape."""
    return node.args[:1] == (Ref(source.name),) and node.shape == source.shape


def _reshaped(source: Node, node: Node, constants: ConstantNodes) -> bool:
    """Accept the same shape, or one position before and after: channels keep their order."""
    sizes = [
        size
        for point in (source, node)
        if point.layout is not None
        for size in point.layout.sizes(point.shape or ())
    ]
    single = all(size == 1 for size in sizes)
    return _kept(source, node, constants) or (single and node.args[:1] == (Ref(source.name),))


def _shifted(source: Node, node: Node, constants: ConstantNodes) -> bool:
    """Accept x + c, x - c and c - x, with alpha, the scale of what is added, not 0."""
    alpha = node.kwargs.get("alpha", node.args[2] if len(node.args) > 2 else 1)
    return _one_a_channel(source, node, constants) and _scale(alpha)


def _scaled(source: Node, node: Node, constants: ConstantNodes) -> bool:
    """Accept x c and c x, with numbers that are not 0."""
    numbers = [arg for arg in node.args[:2] if not isinstance(arg, Ref)]
    return _one_a_channel(source, node, constants) and all(map(_scale, numbers))


def _divided(source: Node, node: Node, constants: ConstantNodes) -> bool:
    """Accept x / c without rounding, never c / x."""
    exact = node.kwargs.get("rounding_mode") is None and len(node.args) == 2
    return exact and node.args[0] == Ref(source.name) and _scaled(source, node, constants)


def _one_a_channel(source: Node, node: Node, constants: ConstantNodes) -> bool:
    """Return whether one operand is the source, the other a number or one constant per channel."""
    pair = node.args[:2]
    others = [arg for arg in pair if arg != Ref(source.name)]
    if len(pair) != 2 or len(others) != 1 or node.shape != source.shape:
        return False
    other = others[0]
    if not isinstance(other, Ref):
        return isinstance(other, int | float)
    shape = constants[other.name].shape if other.name in constants else None
    rank = len(source.shape or ())
    if shape is None or source.layout is None or len(shape) > rank:
        return False
    aligned = (*[1] * (rank - len(shape)), *shape)
    return all(size == 1 for axis, size in enumerate(aligned) if axis != source.layout.channels)


def _scale(value: Argument) -> bool:
    return isinstance(value, int | float) and value != 0 and isfinite(value)


_COPIES = [name for name, kind in KINDS.items() if kind is Kind.COPY]
_RESHAPES = [name for name, kind in KINDS.items() if kind is Kind.RESHAPE]
# A slice that is no shorter is all of it; an average over as many cells as there are is each one.
_NO_OPS = (
    "aten.slice.Tensor",
    "aten.expand.default",
    "aten.adaptive_avg_pool2d.default",
    "aten._adaptive_avg_pool2d.default",
)

_RULES: dict[str, Callable[[Node, Node, ConstantNodes], bool]] = {
    **dict.fromkeys((*_COPIES, *_NO_OPS), _kept),
    **dict.fromkeys(_RESHAPES, _reshaped),
    "aten.batch_norm.default": _normalised,
    "aten.add.Tensor": _shifted,
    "aten.add.Scalar": _shifted,
    "aten.sub.Tensor": _shifted,
    "aten.sub.Scalar": _shifted,
    "aten.rsub.Scalar": _shifted,
    "aten.mul.Tensor": _scaled,
    "aten.mul.Scalar": _scaled,
    "aten.div.Tensor": _divided,
    "aten.div.Scalar": _divided,
    "aten.neg.default": lambda source, node, constants: True,
}
