"""The original values of points, as the basis networks compute them."""

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor

from netstitch.files.alignment import aligned, aligned_weights
from netstitch.networks.graph import Graph
from netstitch.networks.interpreter import Interpreter, make_interpreter
from netstitch.networks.module import ancestors
from netstitch.networks.network import Network
from netstitch.stitching.stitch import FeatureRef


class FeatureReader:
    """Runs basis networks up to some points; keeps the interpreters made for the last ones."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._points: tuple[FeatureRef, ...] = ()
        self._interpreters: list[tuple[list[int], Interpreter]] = []

    def __call__(self, inputs: Tensor, points: Sequence[FeatureRef]) -> list[Tensor]:
        """Return the values of points for inputs (b, ...), in their order.

        Each network runs once. Inputs are moved to the device of the networks.
        """
        if tuple(points) != self._points or not self._interpreters:
            self._prepare(points)
        tensors = (chain(each.parameters(), each.buffers()) for each in self._networks)
        inputs = aligned(inputs.to(next(chain.from_iterable(tensors), inputs).device))
        values: list[Tensor] = [inputs] * len(points)
        with torch.inference_mode():
            for positions, interpreter in self._interpreters:
                for position, value in zip(positions, interpreter.run([inputs]), strict=True):
                    values[position] = value
        return values

    def __getstate__(self) -> dict[str, object]:
        # Interpreters hold functions of torch, which cannot be sent to another process.
        return {"_networks": self._networks, "_points": (), "_interpreters": []}

    def forget(self) -> None:
        """Make interpreters anew next time, since the networks' tensors were replaced."""
        self._points, self._interpreters = (), []

    def _prepare(self, points: Sequence[FeatureRef]) -> None:
        self._interpreters = []
        for index, network in enumerate(self._networks):
            positions = [i for i, point in enumerate(points) if point.network == index]
            if positions:
                names = [points[i].point for i in positions]
                needed = ancestors(network.graph, [*names, network.graph.input.name])
                graph = Graph(tuple(n for n in network.graph.nodes if n.name in needed), ())
                weights = aligned_weights(network.weights)
                interpreter = make_interpreter(graph, weights, results=names)
                self._interpreters.append((positions, interpreter))
        self._points = tuple(points)
