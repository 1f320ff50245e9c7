"""Original values of points, read from the basis networks."""

from collections.abc import Iterator, Sequence
from itertools import chain

import torch
from torch import Tensor, fx

from netstitch.files.alignment import aligned
from netstitch.networks.module import build_module
from netstitch.networks.network import Network
from netstitch.stitching.stitch import FeatureRef


def _tensors(network: Network) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()


class FeatureReader:
    """Runs basis networks up to the points asked for; keeps the modules made for the last ones."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._places: tuple[FeatureRef, ...] = ()
        self._modules: list[tuple[list[int], fx.GraphModule]] = []

    def __call__(self, inputs: Tensor, places: Sequence[FeatureRef]) -> list[Tensor]:
        """Values of the places for inputs (b, ...), in their order; each network runs once.

        Inputs that are elsewhere are moved to the device of the networks.
        """
        if tuple(places) != self._places or not self._modules:
            self._prepare(places)
        inputs = aligned(inputs.to(self._device(inputs)))
        values: list[Tensor] = [inputs] * len(places)
        with torch.inference_mode():
            for positions, module in self._modules:
                for position, value in zip(positions, module(inputs), strict=True):
                    values[position] = value
        return values

    def forget(self) -> None:
        """Make modules anew next time, since the networks' tensors were replaced."""
        self._places, self._modules = (), []

    def _device(self, inputs: Tensor) -> torch.device:
        return next(chain.from_iterable(map(_tensors, self._networks)), inputs).device

    def _prepare(self, places: Sequence[FeatureRef]) -> None:
        self._modules = []
        for index, network in enumerate(self._networks):
            positions = [i for i, place in enumerate(places) if place.network == index]
            if positions:
                points = [places[i].point for i in positions]
                module = build_module(network.graph, network.weights, outputs=points)
                self._modules.append((positions, module))
        self._places = tuple(places)
