"""The part of a supernet's interface that fitting and refining use."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from torch import Tensor

from netstitch.networks.graph import Graph
from netstitch.stitching.reachability import Genotype
from netstitch.stitching.stitch import FeatureRef, Stitch
from netstitch.stitching.switches import Switch


class UnionGraph(Protocol):
    """Networks joined by stitches; `netstitch.Supernet` is one."""

    @property
    def stitches(self) -> tuple[Stitch, ...]:
        """All stitches, in the order of their layers."""

    @property
    def switches(self) -> tuple[Switch, ...]:
        """The switches of genotypes, the output's last one left out."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output switch's choices."""

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Number of choices of each variable of a genotype, the output's the last."""

    @property
    def probabilities(self) -> frozenset[str | None]:
        """Keys of the outputs that hold probabilities."""

    def genotype(
        self, output: str | int = ..., stitches: Mapping[int, int] | Iterable[int] = ...
    ) -> Genotype:
        """Return the genotype with these choices, all others original."""

    def references(self) -> dict[str, Genotype]:
        """Return the all-original genotypes by output name, in the order of the output switch."""

    def active_stitches(self, genotype: Genotype | Sequence[int]) -> tuple[int, ...]:
        """Return the stitches that a genotype's output depends on."""

    def pruned_graph(self, genotype: Genotype | Sequence[int]) -> Graph:
        """Return the graph of what a genotype's output depends on."""

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors by the paths that subnetwork graphs give them, stitches included."""

    def stitch_paths(self) -> list[str]:
        """Return each stitch's path in these graphs; ".weight" and ".bias" follow."""

    def features(self, inputs: Tensor, places: Sequence[FeatureRef]) -> list[Tensor]:
        """Return the original values of points for a batch."""
