"""Detection of networks that put out probabilities, as a softmax does, instead of logits.

Averaged with logits, probabilities hardly count, and a softmax of them is nearly flat: networks are
joined only where they put out the same.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from netstitch.errors import StitchingError
from netstitch.networks.graph import Graph, Node, references
from netstitch.networks.module import build_module
from netstitch.networks.network import Network
from netstitch.networks.operations import KINDS, Kind

SOFTMAX, SIGMOID, BY_HAND = "softmax", "sigmoid", "as its values show"

WAY_OUT = (
    'write outputs = "probabilities" in its [[networks]] table, or in Python '
    'ns.capture(model, example, outputs="probabilities"), which takes their logarithm'
)
"""What to do where a network puts out probabilities, as a part of a sentence."""

_ENDS = {
    "aten.softmax.int": SOFTMAX,
    "aten._softmax.default": SOFTMAX,
    "aten.sigmoid.default": SIGMOID,
    "aten.hardsigmoid.default": SIGMOID,
}
_SQUASHING = {
    *_ENDS,
    *(f"aten.{name}.default" for name in ("exp", "exp2", "expm1", "tanh", "erf", "atan")),
    *("aten.log_softmax.int", "aten._log_softmax.default"),
}
_MOVING = {Kind.RESHAPE, Kind.PERMUTE, Kind.COPY, Kind.PART}
_KEEPING = {
    *(f"aten.clamp{end}" for end in (".default", ".Tensor", "_min.default", "_max.default")),
    *("aten.nan_to_num.default", "aten.mean.dim", "aten.index.Tensor"),
}
"""Of elementwise operations and means, those whose results are probabilities where what they read
is."""
_LOGITS = {Kind.CONVOLUTION, Kind.LINEAR, Kind.RECURRENT}
TOLERANCE = 1e-3
SCALES = (0.5, 1.0)
"""Of the noise that a network is run on, a batch each: a softmax by hand soon overflows."""
BATCH = 3


def probabilities_of(network: Network) -> dict[str | None, str]:
    """Return the keys of outputs that hold probabilities, each with what makes them.

    The graph says so where it ends in a softmax, a sigmoid, or a layer. Where it ends in something
    else, such as a quotient, the network is run on two batches of noise: values that are not below
    0 and sum to 1 over the classes are probabilities.
    """
    found: dict[str | None, str] = {}
    open_ones: list[tuple[str | None, Node]] = []
    for key, name in network.graph.outputs:
        end = origin(network.graph, name)
        if end.operation in _ENDS:
            found[key] = _ENDS[end.operation]
        elif _may_be_either(network.graph, end):
            open_ones.append((key, end))
    if open_ones:
        values = _noise_outputs(network)
        for key, end in open_ones:
            bounded = any(node.operation in _SQUASHING for node in _tail(network.graph, end))
            if all(are_probabilities(batch[key], whole=not bounded) for batch in values):
                found[key] = BY_HAND
    return {key: found[key] for key in network.graph.output_keys if key in found}


def origin(graph: Graph, name: str) -> Node:
    """Return the node that a node has its values from, before any move, selection or clip."""
    node = graph.by_name[name]
    while True:
        kind = KINDS.get(node.operation)
        resized = kind is Kind.POOLING and ("avg_pool" in node.operation or _is_resize(node))
        if not (kind in _MOVING or resized or node.operation in _KEEPING):
            return node
        read = [graph.by_name[one] for one in references(node.args[:1])]
        if len(read) != 1:
            return node
        node = read[0]


def are_probabilities(values: Tensor, *, whole: bool = True) -> bool:
    """Return whether (n, classes, ...) values may be probabilities.

    Args:
        values: samples with values that are not finite do not count, unless there are no others.
        whole: require that they sum to 1 over the classes, which those of a sigmoid do not.
    """
    if values.ndim < 2 or values.shape[1] < 2 or not values.is_floating_point():
        return False
    wide = values.double()
    wide = wide[torch.isfinite(wide).flatten(1).all(1)]
    if not len(wide) or not bool(((wide >= 0) & (wide <= 1 + TOLERANCE)).all()):
        return False
    return not whole or bool(((wide.sum(1) - 1).abs() <= TOLERANCE).all())


def check_alike(networks: Sequence[tuple[str, Network]]) -> frozenset[str | None]:
    """Return the keys of the outputs in which all networks put out probabilities.

    Args:
        networks: each with the name that messages give it.

    Raises:
        StitchingError: with what to do, where some put out probabilities and others logits.
    """
    kinds = [(name, network.graph, probabilities_of(network)) for name, network in networks]
    alike: set[str | None] = set()
    for key in dict.fromkeys(key for _, _, found in kinds for key in found):
        those = [(name, found[key]) for name, _, found in kinds if key in found]
        others = [n for n, graph, found in kinds if key in graph.output_keys and key not in found]
        if others:
            where = "" if key is None else f" in output {key!r}"
            names = ", ".join(name for name, _ in those)
            raise StitchingError(
                f"{names} ends in probabilities{where} ({those[0][1]}) and {', '.join(others)} in "
                f"logits, which cannot be averaged or compared: for {names}, {WAY_OUT}"
            )
        alike.add(key)
    return frozenset(alike)


def _is_resize(node: Node) -> bool:
    return "upsample" in node.operation


def _may_be_either(graph: Graph, end: Node) -> bool:
    """Return whether the graph leaves open what its end puts out."""
    kind = KINDS.get(end.operation)
    return kind not in _LOGITS and any(
        node.operation in _SQUASHING or node.operation.startswith("aten.div.")
        for node in _tail(graph, end)
    )


def _tail(graph: Graph, end: Node) -> Iterator[Node]:
    """Yield a node and what stands before it, up to the last layers."""
    pending, seen = [end.name], {end.name}
    while pending:
        node = graph.by_name[pending.pop()]
        yield node
        if node is not end and KINDS.get(node.operation) in _LOGITS:
            continue
        pending += [name for name in node.inputs if name not in seen]
        seen.update(node.inputs)


def _noise_outputs(network: Network) -> list[Mapping[str | None, Tensor]]:
    """Return outputs by key for batches of noise."""
    graph = network.graph
    sizes = [int(size) for size in (graph.input.shape or ())[1:]]
    device = next(iter(network.weights.values()), torch.zeros(0)).device
    generator = torch.Generator().manual_seed(0)
    module = build_module(graph, network.weights, outputs=[name for _, name in graph.outputs])
    found: list[Mapping[str | None, Tensor]] = []
    with torch.inference_mode():
        for scale in SCALES:
            noise = scale * torch.randn(BATCH, *sizes, generator=generator)
            values = module(noise.to(device))
            found.append(dict(zip(graph.output_keys, values, strict=True)))
    return found
