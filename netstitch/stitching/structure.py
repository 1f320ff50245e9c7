"""A supernet without its weights: enough to draw and to describe it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from netstitch.networks.graph import Graph
from netstitch.networks.keys import is_part
from netstitch.stitching.reachability import Genotype, Reachability
from netstitch.stitching.switches import Switchboard
from netstitch.text import numbered


@dataclass(frozen=True)
class Structure:
    """The networks' names and graphs, and the switchboard between them."""

    names: tuple[str, ...]
    graphs: tuple[Graph, ...]
    board: Switchboard

    @cached_property
    def reachability(self) -> Reachability:
        """Activity and cost of genotypes."""
        return Reachability(self.graphs, self.board)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output switch's choices: a network, "ensemble", or networks joined by +."""
        return tuple(
            "ensemble"
            if 1 < len(subset) == len(self.names)
            else "+".join(self.names[index] for index in subset)
            for subset in self.board.outputs
        )

    def active_stitches(self, genotype: Genotype) -> tuple[int, ...]:
        """Return the indices of the stitches that a genotype's subnetwork runs."""
        found = [
            self.board.switches[index].stitches[genotype[index]]
            for index in np.flatnonzero(self.reachability.active(genotype)[:-1])
        ]
        return tuple(sorted(index for index in found if index is not None))


def distinct_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return names as identifiers in lower case, numbered where two are equal.

    Names that modules need for themselves, or the supernet gives to other things, are avoided.
    """
    found: list[str] = []
    for name in names:
        stem = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "network"
        stem = f"n{stem}" if stem[0].isdigit() else stem
        reserved = ("stitches", "exits", "ensemble", "input", "threshold")
        stem = f"{stem}_network" if stem in reserved or not is_part(stem) else stem
        found.append(numbered(stem, found))
    return tuple(found)
