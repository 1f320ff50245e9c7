"""What refining needs of a supernet, and no more of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor

from netstitch.networks.graph import Graph
from netstitch.stitching.reachability import Genotype
from netstitch.stitching.stitch import FeatureRef, Stitch
from netstitch.stitching.switches import Switch


class UnionGraph(Protocol):
    """Networks joined by stitches; `netstitch.Supernet` is one."""

    @property
    def stitches(self) -> tuple[Stitch, ...]: ...

    @property
    def switches(self) -> tuple[Switch, ...]: ...

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output switch's choices."""
        ...

    @property
    def cardinalities(self) -> tuple[int, ...]: ...

    @property
    def probabilities(self) -> frozenset[str | None]:
        """Keys of the outputs that hold probabilities."""
        ...

    def genotype(
        self, output: str | int = ..., stitches: Mapping[int, int] | Iterable[int] = ...
    ) -> Genotype: ...

    def references(self) -> dict[str, Genotype]:
        """The all-original genotypes by output name, in the order of the output switch."""
        ...

    def active_stitches(self, genotype: Any) -> tuple[int, ...]: ...

    def pruned_graph(self, genotype: Any) -> Graph: ...

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by the paths that subnetwork graphs give them, stitches included."""
        ...

    def stitch_paths(self) -> list[str]:
        """Per stitch, its path in these graphs; ".weight" and ".bias" follow."""
        ...

    def features(self, inputs: Tensor, places: Sequence[FeatureRef]) -> list[Tensor]: ...


def single(joined: UnionGraph, stitch: int) -> Genotype | None:
    """The genotype in which one stitch alone is chosen, for the first output that depends on it.

    None where no output choice does.
    """
    for switch, behind in enumerate(joined.switches):
        if stitch in behind.stitches:
            choice = {switch: behind.stitches.index(stitch)}
            for output in range(len(joined.outputs)):
                genotype = joined.genotype(output, choice)
                if stitch in joined.active_stitches(genotype):
                    return genotype
    return None
