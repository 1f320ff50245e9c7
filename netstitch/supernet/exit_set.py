"""The exits of a supernet: their layers and graphs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import cast

import torch
from torch import Tensor, nn

from netstitch.errors import StitchingError
from netstitch.fitting import ExitReport
from netstitch.networks.feature_layout import StitchLayer
from netstitch.networks.graph import Graph
from netstitch.stitching.exit import Exit, exit_key
from netstitch.stitching.exit_graph import (
    ExitOutput,
    check_exits,
    exit_layer,
    exits_graph,
)
from netstitch.stitching.structure import Structure
from netstitch.supernet.supernet_arguments import check_weights

NONE = "it has none: call fit_exits(batches) first, or set_exits(exits, weights)"


class ExitSet(nn.Module):
    """The exits of a supernet with their layers; none at first.

    Attributes:
        exits: The exits, in the order of the layers.
        output: The output that they predict; None without exits.
        report: The report of `fit_exits`, where they were fitted.
    """

    def __init__(self, structure: Structure) -> None:
        super().__init__()
        self._structure = structure
        self.exits: tuple[Exit, ...] = ()
        self.output: ExitOutput | None = None
        self.report: ExitReport | None = None
        self.layers = nn.ModuleList()
        self._indices: dict[Exit, int] = {}
        self._graphs: dict[Exit, Graph] = {}

    def give(
        self,
        exits: Sequence[Exit],
        weights: Mapping[str, Tensor],
        output: ExitOutput,
        like: Tensor,
    ) -> None:
        """Replace all exits, with layers on the device and of the type of `like`.

        Raises:
            StitchingError: For exits or weights that do not fit the networks.
        """
        check_exits(self._structure, output, exits)
        keys = [exit_key(self._structure.names, one) for one in exits]
        layers = nn.ModuleList(exit_layer(self._structure, output, one) for one in exits)
        check_weights(_by_key(keys, layers), weights, "exits", "exit_weights()")
        layers.to(like.device, like.dtype).requires_grad_(False)
        with torch.no_grad():
            for key, tensor in _by_key(keys, layers).items():
                tensor.copy_(weights[key])
        self.exits, self.output, self.layers = tuple(exits), output, layers
        self.report = None
        self._indices = {one: index for index, one in enumerate(exits)}
        self._graphs = {}

    def weights(self) -> dict[str, Tensor]:
        """Return weights and biases by key."""
        return _by_key([exit_key(self._structure.names, one) for one in self.exits], self.layers)

    def to_json(self) -> dict[str, object] | None:
        """Return the exits' entry of supernet.json; None where there are none."""
        if self.output is None:
            return None
        return {"output": self.output.key, "exits": [asdict(one) for one in self.exits]}

    def check(self, one: Exit) -> ExitOutput:
        """Return an exit's output; raise StitchingError where it is none of this supernet's."""
        if one not in self._indices or self.output is None:
            known = f"it has {len(self.exits)}: choose one of s.exits" if self.exits else NONE
            raise StitchingError(f"{one!r:.120} is no exit of this supernet; {known}")
        return self.output

    def graph(self, one: Exit) -> Graph:
        """Return the graph of an exit; raise StitchingError unless it is one of these."""
        output = self.check(one)
        if one not in self._graphs:
            self._graphs[one] = exits_graph(self._structure, output, [one])
        return self._graphs[one]

    def graph_of(self, exits: Sequence[Exit]) -> Graph:
        """Return one graph of one or more exits; its outputs are theirs, in their order."""
        outputs = [self.check(one) for one in exits]
        return exits_graph(self._structure, outputs[0], exits)


def _by_key(keys: Sequence[str], layers: nn.ModuleList) -> dict[str, Tensor]:
    return {
        f"{key}.{part}": tensor
        for key, layer in zip(keys, layers, strict=True)
        for part, tensor in cast(StitchLayer, layer).named_parameters()
    }
