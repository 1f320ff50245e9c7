"""Logarithms for networks that put out probabilities, so that they put out logits like the others.

The softmax of the logarithm of probabilities is these probabilities again. It becomes the last part
of the network itself, and is captured, counted and exported with it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from netstitch.errors import CaptureError
from netstitch.networks.capturing.exportable import copied, unwrapped
from netstitch.networks.graph import Graph, references
from netstitch.networks.network import Network
from netstitch.networks.probabilities import probabilities_of

SMALLEST = 1e-30
"""Smaller probabilities, 0 among them, count as this one: its logarithm, and the gradient there,
are finite in float32."""
LOWEST = -70.0
"""Under the logarithm of SMALLEST: it counts only where evaluations in float16 know no SMALLEST."""

_STEPS = ("aten.clamp_min.default", "aten.log.default", "aten.clamp_min.default")


def with_logarithm(model: nn.Module, key: str | None = None) -> nn.Module:
    """Return a copy of a model that puts out the logarithms of its probabilities.

    Probabilities under SMALLEST count as SMALLEST. `check_logarithm` finds out, after capture,
    whether they were probabilities.

    Args:
        model: puts out probabilities.
        key: of the output that holds them where there are several; by default all do.
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


class _Logarithm:
    """A hook that takes the logarithm of what the model's forward returns."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, model: nn.Module, args: tuple[Any, ...], outputs: Any) -> Any:
        if isinstance(outputs, Tensor):
            return _logarithm(outputs)
        if not isinstance(outputs, Mapping):
            return outputs  # capture says what is wrong with it
        return {
            key: _logarithm(value)
            if isinstance(value, Tensor) and self._key in (None, key)
            else value
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
