"""The decisions of a supernet: all about genotypes that does not depend on weights."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from netstitch.stitching.exit import Exit
from netstitch.stitching.genotype import check_genotype, make_genotype
from netstitch.stitching.reachability import Genotype, Reachability
from netstitch.stitching.signature import Signature
from netstitch.stitching.stitch import Stitch
from netstitch.stitching.structure import Structure
from netstitch.stitching.subgraph import stitch_key
from netstitch.stitching.switches import Switch, Switchboard

AnyGenotype = Sequence[int] | NDArray[np.integer]
"""One integer per switch, as a list, a tuple or an array (l,)."""

AnySubnetwork = AnyGenotype | Exit
"""A genotype, or an exit."""


class Decisions:
    """Switches, and the genotypes that set them.

    Attributes:
        board: Stitches, switches, and the output switch's choices, by index.
        structure: Names, graphs and board: all but the weights.
    """

    board: Switchboard
    structure: Structure

    @property
    def stitches(self) -> tuple[Stitch, ...]:
        """The stitches, grouped by match."""
        return self.board.stitches

    @property
    def switches(self) -> tuple[Switch, ...]:
        """The switches in the order of the genotype, but for the output switch."""
        return self.board.switches

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output switch's choices: a network, "ensemble", or networks joined by +."""
        return self.structure.outputs

    @property
    def wiring(self) -> Reachability:
        """Activity and cost of genotypes, which are not checked."""
        return self.structure.reachability

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of choices of each switch; the output switch is the last."""
        return self.board.cardinalities

    def genotype(
        self,
        output: str | int = "ensemble",
        stitches: Mapping[int, int] | Iterable[int] = (),
    ) -> Genotype:
        """Return the genotype whose switches all read the original, except for those given.

        The output is a name or a number; `stitches` are switches by index that take choice 1, or a
        mapping from index to choice.
        """
        return make_genotype(self.cardinalities, self.outputs, output, stitches)

    def references(self) -> dict[str, Genotype]:
        """Return the genotypes of the basis networks and their ensemble, by output name."""
        return {name: self.genotype(index) for index, name in enumerate(self.outputs)}

    def active(self, genotype: AnyGenotype) -> NDArray[np.bool_]:
        """Return (l,) bool: the switches that the output depends on through the chosen inputs."""
        return self.wiring.active(self._checked(genotype))

    def signature(self, genotype: AnyGenotype) -> Signature:
        """Return the (switch, choice) pairs of the active switches, which name a subnetwork."""
        return self.wiring.signature(self._checked(genotype))

    def stitch_paths(self) -> list[str]:
        """Return the stitches' paths in subnetworks; ".weight" and ".bias" follow."""
        return [stitch_key(self.structure.names, stitch) for stitch in self.stitches]

    def _checked(self, genotype: AnyGenotype) -> Genotype:
        return check_genotype(self.cardinalities, genotype)
