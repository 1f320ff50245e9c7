"""The graph of exits: the beginnings of basis networks, pooled features, and linear maps.

Beside the mean of a channel over positions, its standard deviation is read: on the demo's pair that
makes an exit at 17 % of a network's cost 83.5 % right instead of 80.0, and one at 11 % that reads
all features before it 82.3 instead of 79.5. The maximum adds 0.2 to these, and is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from netstitch.errors import StitchingError
from netstitch.networks.counting import elementwise, multiply_adds
from netstitch.networks.feature_layout import MAP, VECTOR, FeatureLayout, StitchLayer
from netstitch.networks.graph import BATCH, INPUT, WEIGHT, Argument, Dimension, Graph, Node, Ref
from netstitch.networks.module import ancestors
from netstitch.stitching.exit import Exit, exit_key, point_key
from netstitch.stitching.structure import Structure
from netstitch.stitching.subgraph import NodeList, input_node, node_in_subnetworks
from netstitch.text import did_you_mean

Shape = tuple[Dimension, ...]
Arguments = tuple[Argument, ...]
PointRef = tuple[int, str]
"""A point, by the index of its network and its name."""

SMALLEST = 1e-8
"""Added to variances."""


@dataclass(frozen=True)
class ExitOutput:
    """The output of the basis networks that exits stand for.

    Attributes:
        key: Its key; None where the networks put out one tensor.
        shape: Of one sample: (classes,), or (classes, height, width) of maps.
        probabilities: Whether the networks put out probabilities there; exits then do too.
    """

    key: str | None
    shape: tuple[int, ...]
    probabilities: bool = False

    @property
    def classes(self) -> int:
        """The number of outputs of a linear map."""
        return self.shape[0]

    @property
    def of_maps(self) -> bool:
        """The linear map is applied at each position."""
        return len(self.shape) == 3

    @property
    def layout(self) -> FeatureLayout:
        """The layout of what the linear map reads."""
        return MAP if self.of_maps else VECTOR


def exit_output(structure: Structure, key: str | None) -> ExitOutput:
    """Return the output of a key, None for the only one, as one of logits.

    Raises:
        StitchingError: There is no such output, or it has neither of the two shapes.
    """
    outputs = dict(structure.graphs[0].outputs)
    known = ", ".join(map(repr, outputs))
    if key is None and len(outputs) == 1:
        [key] = outputs
    if key not in outputs:
        what = "are" if key is None else f"do not have {key!r}, they are"
        raise StitchingError(
            f"the networks' outputs {what} {known}; name the one that exits stand for, with output="
        )
    shape = structure.graphs[0].by_name[outputs[key]].shape or ()
    sizes = tuple(size for size in shape[1:] if isinstance(size, int))
    if len(sizes) not in (1, 3) or shape != (BATCH, *sizes):
        raise StitchingError(
            f"the networks' output has shape {shape}; exits are for outputs (batch, classes) or "
            "(batch, classes, height, width)"
        )
    return ExitOutput(key, sizes)


def check_exits(structure: Structure, output: ExitOutput, exits: Sequence[Exit]) -> None:
    """Raise StitchingError unless exits are of these networks, can make the output, and differ."""
    keys = set()
    for one in exits:
        if not isinstance(one, Exit):
            raise StitchingError(
                f"the exits hold a {type(one).__name__}; expected netstitch.stitching.Exit("
                "network, points) of each"
            )
        _check_exit(structure, output, one)
        key = exit_key(structure.names, one)
        if key in keys:
            raise StitchingError(f"{key} stands twice among the exits; expected one a point")
        keys.add(key)


def _check_exit(structure: Structure, output: ExitOutput, one: Exit) -> None:
    if not 0 <= one.network < len(structure.graphs):
        raise StitchingError(
            f"an exit is of network {one.network}; expected 0 to {len(structure.graphs) - 1}"
        )
    name, graph = structure.names[one.network], structure.graphs[one.network]
    known = {node.name: index for index, node in enumerate(graph.points)}
    for point in one.points:
        if point not in known:
            raise StitchingError(
                f"{name} has no point {point!r:.80}; {did_you_mean(point, known)}its points are "
                f"those of the supernet's graphs[{one.network}].points"
            )
    places = [known[point] for point in one.points]
    if not places or places != sorted(set(places)):
        raise StitchingError(
            f"an exit of {name} reads {', '.join(one.points) or 'no points'}; expected one or more "
            "points in the order of computation, each once"
        )
    if output.of_maps and (len(places) > 1 or graph.by_name[one.point].layout is not MAP):
        raise StitchingError(
            f"an exit of {name} reads {', '.join(one.points)}; for outputs that are maps, it reads "
            "one point, of maps (batch, channels, height, width)"
        )


def exit_features(structure: Structure, output: ExitOutput, one: Exit) -> int:
    """Return the number of features that the linear map of an exit reads."""
    by_name = structure.graphs[one.network].by_name
    return sum(point_features(output, by_name[point]) for point in one.points)


def point_features(output: ExitOutput, point: Node) -> int:
    """Return the number of features of a point for exits: two a channel where it has positions."""
    return channels(point) * (1 if output.of_maps or _positions(point) == 1 else 2)


def exit_layer(structure: Structure, output: ExitOutput, one: Exit) -> StitchLayer:
    """Return a new layer for an exit, with PyTorch's own initial weights."""
    return output.layout.layer(exit_features(structure, output, one), output.classes)


def exits_graph(structure: Structure, output: ExitOutput, exits: Sequence[Exit]) -> Graph:
    """Return one graph that computes exits; its outputs are theirs, in their order.

    What several have in common is there once. Nodes of the networks are named, and have paths, as
    in subnetworks, so that their content is equal.
    """
    nodes = NodeList()
    places = [(one.network, point) for one in exits for point in one.points]
    made = add_beginnings(nodes, structure, places)
    pooled: dict[PointRef, tuple[str, ...]] = {}
    ends = []
    for one in exits:
        features: list[str] = []
        for point in one.points:
            place = one.network, point
            if place not in pooled:
                pooled[place] = add_features(nodes, structure, output, place, made[place])
            features += pooled[place]
        ends.append(_add_map(nodes, structure, output, one, features))
    return Graph(nodes.all, tuple((output.key, end) for end in ends))


def add_beginnings(
    nodes: NodeList, structure: Structure, places: Sequence[PointRef]
) -> dict[PointRef, str]:
    """Add what computes some points, by network and name; return the names of its nodes by both."""
    nodes.append(input_node(structure.graphs[0]))
    made: dict[PointRef, str] = {}
    for network, graph in enumerate(structure.graphs):
        needed = ancestors(graph, [point for owner, point in places if owner == network])
        for node in graph.nodes:
            if node.operation == INPUT:
                made[network, node.name] = "input"
            elif node.name in needed:
                names = [made[network, name] for name in node.inputs]
                own = node_in_subnetworks(structure.names[network], node, names)
                made[network, node.name] = nodes.append(own)
    return made


def add_features(
    nodes: NodeList, structure: Structure, output: ExitOutput, place: PointRef, source: str
) -> tuple[str, ...]:
    """Add what exits read of a point, and return the names of the nodes.

    For outputs that are maps, or a point without positions, that is the point itself. Otherwise it
    is the mean of each channel over the positions, and the standard deviation. The node that
    computes the point is called `source`.
    """
    network, name = place
    point = structure.graphs[network].by_name[name]
    layout, shape = point.layout, point.shape or ()
    assert layout is not None
    axes = tuple(axis for axis in range(1, len(shape)) if axis != layout.channels)
    if output.of_maps or not axes:
        return (source,)
    pooled = BATCH, channels(point)
    key = point_key(structure.names[network], name)

    def add(part: str, operation: str, args: Arguments, made: Shape, *read: Shape) -> str:
        step = Node(f"{_stem(key)}_{part}", f"aten.{operation}", args, shape=made, path=key)
        return nodes.append(_counted(step, read))

    if _positions(point) == 1:
        return (add("mean", "mean.dim", (Ref(source), axes), pooled, shape),)
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    centre = add("centre", "mean.dim", (Ref(source), axes, True), kept, shape)
    mean = add("mean", "squeeze.dims", (Ref(centre), axes), pooled, kept)
    # PyTorch's own variance warns of batches of no samples, which later stages of cascades get.
    centred = add("centred", "sub.Tensor", (Ref(source), Ref(centre)), shape, shape, kept)
    squared = add("squared", "square.default", (Ref(centred),), shape, shape)
    variance = add("variance", "mean.dim", (Ref(squared), axes), pooled, shape)
    # The root has no gradient at 0, where a channel is the same everywhere.
    above = add("above_0", "add.Tensor", (Ref(variance), SMALLEST), pooled, pooled)
    return mean, add("deviation", "sqrt.default", (Ref(above),), pooled, pooled)


def _positions(point: Node) -> int:
    """Return the number of a point's positions: height times width of maps, 1 of vectors."""
    assert point.layout is not None
    return prod(int(size) for size in point.layout.sizes(point.shape or ()))


def channels(point: Node) -> int:
    """Return the number of channels of a point."""
    assert point.layout is not None
    size = (point.shape or ())[point.layout.channels]
    assert isinstance(size, int)  # of a point
    return size


def _add_map(
    nodes: NodeList,
    structure: Structure,
    output: ExitOutput,
    one: Exit,
    features: Sequence[str],
) -> str:
    """Add the linear map of features, pooled or maps, and return the name of the exit's output."""
    key, count = exit_key(structure.names, one), exit_features(structure, output, one)
    layout, name = output.layout, _stem(key)

    def add(part: str, operation: str, args: Arguments, shape: Shape, *read: Shape) -> str:
        step = Node(f"{name}{part}", f"aten.{operation}", args, shape=shape, path=key)
        return nodes.append(_counted(step, read))

    source = features[0]
    if len(features) > 1:
        joined = tuple(map(Ref, features))
        source = add("_features", "cat.default", (joined, 1), (BATCH, count))
    shapes = {"weight": (output.classes, count, *layout.kernel), "bias": (output.classes,)}
    weight, bias = (
        nodes.append(
            Node(f"{name}_{part}", WEIGHT, shape=shape, dtype="float32", path=f"{key}.{part}")
        )
        for part, shape in shapes.items()
    )
    point = structure.graphs[one.network].by_name[one.point]
    positions = layout.sizes(point.shape or ()) if output.of_maps else ()
    made: Shape = (BATCH, output.classes, *positions)
    whole: Shape = (BATCH, *output.shape)
    maps = (Ref(source), Ref(weight), Ref(bias))
    operation = layout.operation.removeprefix("aten.")
    end = add("", operation, maps, made, (BATCH, count, *positions), shapes["weight"])
    if made != whole:
        upsampled = (Ref(end), output.shape[1:], False, None)
        end = add("_upsampled", "upsample_bilinear2d.vec", upsampled, whole, made)
    if output.probabilities:
        end = add("_softmax", "softmax.int", (Ref(end), 1), whole, whole)
    return end


def _counted(node: Node, read: Sequence[Shape]) -> Node:
    """Return a node of float32 with its costs, from the shapes of what it reads."""
    shapes = [[1 if size == BATCH else int(size) for size in shape] for shape in read]
    made = [1 if size == BATCH else int(size) for size in node.shape or ()]
    return replace(
        node,
        dtype="float32",
        multiply_adds=multiply_adds(node.operation, made, shapes),
        elementwise=elementwise(node.operation, made, shapes),
    )


def _stem(key: str) -> str:
    """Return the beginning of names of nodes for a key."""
    return key.replace(".", "_").replace("exits", "exit", 1)
