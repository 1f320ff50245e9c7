"""Networks that put out probabilities, as a softmax does: their detection and their logarithms.

Averaged with logits, they hardly count: networks are joined only where they put out the same. Of
probabilities that is the logarithm, whose softmax they are: the last part of the network itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from netstitch.errors import CaptureError, StitchingError
from netstitch.networks.capturing.exportable import copied, unwrapped
from netstitch.networks.graph import Graph, Node, references
from netstitch.networks.module import build_module
from netstitch.networks.network import Network
from netstitch.networks.operations import KINDS, Kind

SOFTMAX, SIGMOID, BY_HAND = "softmax", "sigmoid", "as its values show"

WAY_OUT = (
    'write outputs = "probabilities" in its [[networks]] table, or in Python '
    'ns.capture(model, example, outputs="probabilities"), which takes their logarithm'
)
"""Advice where a network puts out probabilities, as a part of a sentence."""

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
"""Operations whose results are probabilities where what they read is."""
_LOGITS = {Kind.CONVOLUTION, Kind.LINEAR, Kind.RECURRENT}
TOLERANCE = 1e-3
SCALES = (0.5, 1.0)
"""Spreads of the noise that a network is run on, a batch each: a softmax by hand soon overflows."""
BATCH = 3
SMALLEST = 1e-30
"""Smaller probabilities, 0 among them, count as this one: its logarithm, and the gradient there,
are finite in float32."""
LOWEST = -70.0
"""Under the logarithm of SMALLEST: it counts only where evaluations in float16 know no SMALLEST."""

_STEPS = ("aten.clamp_min.default", "aten.log.default", "aten.clamp_min.default")


def probabilities_of(network: Network) -> dict[str | None, str]:
    """Return the keys of outputs that hold probabilities, each with what makes them.

    The graph says so where it ends in a softmax, a sigmoid, or a layer. Where it ends in something
    else, such as a quotient, the network is run on two batches of noise: values that are not below
    0 and sum to 1 over the classes are probabilities.
    """
    found: dict[str | None, str] = {}
    values: list[Mapping[str | None, Tensor]] = []
    for key, name in network.graph.outputs:
        end = origin(network.graph, name)
        if end.operation in _ENDS:
            found[key] = _ENDS[end.operation]
        elif KINDS.get(end.operation) not in _LOGITS:
            tail = _tail(network.graph, end)
            bounded = not tail.isdisjoint(_SQUASHING)
            if bounded or any(operation.startswith("aten.div.") for operation in tail):
                values = values or _noise_outputs(network)
                if all(are_probabilities(batch[key], whole=not bounded) for batch in values):
                    found[key] = BY_HAND
    return found


def origin(graph: Graph, name: str) -> Node:
    """Return the node that a node has its values from, before any move, selection or clip."""
    node = graph.by_name[name]
    while True:
        kind = KINDS.get(node.operation)
        words = ("avg_pool", "upsample")
        resized = kind is Kind.POOLING and any(word in node.operation for word in words)
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
    """Return the keys of the outputs in which all networks, given by name, put out probabilities.

    Raises:
        StitchingError: with what to do, where some put out probabilities and others logits.
    """
    kinds = [(name, network.graph, probabilities_of(network)) for name, network in networks]
    alike = dict.fromkeys(key for _, _, found in kinds for key in found)
    for key in alike:
        those = [(name, found[key]) for name, _, found in kinds if key in found]
        others = [n for n, graph, found in kinds if key in graph.output_keys and key not in found]
        if others:
            where = "" if key is None else f" in output {key!r}"
            names = ", ".join(name for name, _ in those)
            raise StitchingError(
                f"{names} ends in probabilities{where} ({those[0][1]}) and {', '.join(others)} in "
                f"logits, which cannot be averaged or compared: for {names}, {WAY_OUT}"
            )
    return frozenset(alike)


def _tail(graph: Graph, end: Node) -> set[str]:
    """Return the operations of a node and of what stands before it, up to the last layers."""
    pending, seen, found = [end.name], {end.name}, set()
    while pending:
        node = graph.by_name[pending.pop()]
        found.add(node.operation)
        if node is end or KINDS.get(node.operation) not in _LOGITS:
            pending += [name for name in node.inputs if name not in seen]
            seen.update(node.inputs)
    return found


def _noise_outputs(network: Network) -> list[Mapping[str | None, Tensor]]:
    """Return outputs by key for batches of noise."""
    graph = network.graph
    sizes = [int(size) for size in (graph.input.shape or ())[1:]]
    device = next(iter(network.weights.values()), torch.zeros(0)).device
    generator = torch.Generator().manual_seed(0)
    module = build_module(graph, network.weights, outputs=[name for _, name in graph.outputs])
    with torch.inference_mode():
        noise = [scale * torch.randn(BATCH, *sizes, generator=generator) for scale in SCALES]
        values = [module(batch.to(device)) for batch in noise]
    return [dict(zip(graph.output_keys, each, strict=True)) for each in values]


def with_logarithm(model: nn.Module, key: str | None = None) -> nn.Module:
    """Return a copy of a model that puts out the logarithms of its probabilities.

    Those under SMALLEST count as SMALLEST. `check_logarithm` finds out, after capture, whether they
    were probabilities. `key` names the output that holds them; by default all do.
    """
    made = copied(unwrapped(model))
    take_logarithm(made, key)
    return made


def take_logarithm(model: nn.Module, key: str | None = None) -> None:
    """Make a model itself what `with_logarithm` returns, unless it is already."""
    if not takes_logarithm(model):
        model.register_forward_hook(_Logarithm(key))


def takes_logarithm(model: nn.Module) -> bool:
    """Return whether a model is one that `with_logarithm` made."""
    return any(isinstance(hook, _Logarithm) for hook in model._forward_hooks.values())


def check_logarithm(network: Network) -> None:
    """Raise CaptureError where a captured network takes logarithms of what is no probabilities."""
    graph = network.graph
    before = {key: _without(graph, name) for key, name in graph.outputs}
    outputs = tuple((key, name) for key, name in before.items() if name is not None)
    inner = Network(network.name, replace(graph, outputs=outputs), network.weights)
    found = probabilities_of(inner)
    for key, name in outputs:
        if key not in found:
            what = "its output" if key is None else f"its output {key!r}"
            pick = "" if key is None else ", or wrap the model to give the output that holds some"
            raise CaptureError(
                f'outputs = "probabilities", and {what} holds none (it ends in '
                f"{graph.by_name[name].operation}): leave this out where it puts out logits{pick}"
            )


@dataclass(frozen=True)
class _Logarithm:
    """A hook that takes the logarithm of what the model's forward returns, or of one output."""

    key: str | None

    def __call__(self, model: nn.Module, args: tuple[object, ...], outputs: object) -> object:
        if isinstance(outputs, Tensor):
            return _logarithm(outputs)
        if not isinstance(outputs, Mapping):
            return outputs  # capture says what is wrong with it
        taken = outputs if self.key is None else {self.key}
        return {
            key: _logarithm(value) if key in taken and isinstance(value, Tensor) else value
            for key, value in outputs.items()
        }


def _logarithm(values: Tensor) -> Tensor:
    return values.clamp_min(SMALLEST).log().clamp_min(LOWEST)


def _without(graph: Graph, name: str) -> str | None:
    """Return the node whose logarithm a node is as `_logarithm` takes it, or None."""
    for operation in _STEPS:
        node = graph.by_name[name]
        if node.operation != operation:
            return None
        [name, *_] = references(node.args[:1])
    return name
