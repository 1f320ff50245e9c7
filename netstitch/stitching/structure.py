"""What a supernet joins and decides, without its weights: enough to draw and to describe it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from netstitch.networks.graph import Graph
from netstitch.stitching.switches import Switchboard
from netstitch.stitching.wiring import Genotype, Wiring


@dataclass(frozen=True)
class Structure:
    """The networks' names and graphs, and the switchboard between them."""

    names: tuple[str, ...]
    graphs: tuple[Graph, ...]
    board: Switchboard

    @cached_property
    def wiring(self) -> Wiring:
        return Wiring(self.graphs, self.board)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output switch's choices: a network, "ensemble", or networks joined by +."""
        return tuple(output_name(self.names, subset) for subset in self.board.outputs)

    def active_stitches(self, genotype: Genotype) -> tuple[int, ...]:
        """Indices of the stitches that a genotype's subnetwork runs."""
        found = [
            self.board.switches[index].stitches[genotype[index]]
            for index in np.flatnonzero(self.wiring.active(genotype)[:-1])
        ]
        return tuple(sorted(index for index in found if index is not None))


def output_name(names: Sequence[str], subset: Sequence[int]) -> str:
    """What a choice of outputs is called."""
    everything = 1 < len(subset) == len(names)
    return "ensemble" if everything else "+".join(names[index] for index in subset)
