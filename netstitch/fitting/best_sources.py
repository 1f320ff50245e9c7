"""The stitches to each point that are worth making, where a match joins many networks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from torch import Tensor

from netstitch.errors import FittingError
from netstitch.fitting.feature_stream import Batch, ProgressCallback, inputs
from netstitch.fitting.fit_settings import LeastSquaresSettings
from netstitch.fitting.least_squares import solve_all
from netstitch.fitting.solve import LinearMap
from netstitch.matching.matches import Matching
from netstitch.networks.inputs import fitting_batches
from netstitch.networks.network import Network
from netstitch.stitching.directions import with_sources
from netstitch.stitching.feature_reader import FeatureReader
from netstitch.stitching.stitch import Stitch

SAMPLES = 1_024
"""Samples that errors are found on: they are held against one another only, to the same target."""


def best_sources(
    networks: Sequence[Network],
    matching: Matching,
    batches: Iterable[Batch],
    *,
    sources: int,
    settings: LeastSquaresSettings | None = None,
    progress: ProgressCallback | None = None,
) -> Matching:
    """Return the matching with at most so many stitches to each point: those of the least error.

    Errors are those of the closed form on held-out ones of the first SAMPLES samples. No layers are
    made for it, and moments stay within the settings' memory budget, so that a supernet whose
    stitches together would not fit into memory can be bounded. Matches of no more than `sources` +
    1 networks keep all stitches; where there are no others, no batch is read.

    Args:
        networks: Those of the matching.
        matching: What `ns.match` returned.
        batches: Inputs (n, ...), or (inputs, labels) pairs whose labels are not used.
        sources: Stitches to each point, at most.
        settings: Those of the closed form.
        progress: Called after every batch.
    """
    graphs = [network.graph for network in networks]
    reader, chosen = FeatureReader(networks), settings or LeastSquaresSettings()
    checked = fitting_batches(graphs, batches, FittingError)

    def errors(stitches: Sequence[Stitch]) -> list[float]:
        found = [inf] * len(stitches)

        def take(index: int, best: LinearMap, error: float | None) -> None:
            found[index] = 0.0 if error is None else error

        solve_all(stitches, reader, _first(checked), chosen, take, progress)
        return found

    return with_sources(graphs, matching, sources, errors)


def _first(batches: Iterable[Batch]) -> Iterable[Batch]:
    """Return the inputs of the first samples; they can be read as often as the batches can."""
    some = _First(batches)
    return iter(some) if isinstance(batches, Iterator) else some


@dataclass(frozen=True)
class _First:
    batches: Iterable[Batch]

    def __iter__(self) -> Iterator[Tensor]:
        left = SAMPLES
        for _, values in inputs(self.batches):
            yield values[:left]
            left -= len(values)
            if left <= 0:
                return
