"""One entry for all ways of fitting."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from netstitch.errors import FittingError
from netstitch.fitting.adam import fit_adam
from netstitch.fitting.feature_stream import Batch, Progress
from netstitch.fitting.fit_report import FitReport
from netstitch.fitting.fit_settings import REMOVED, check_settings
from netstitch.fitting.least_squares import fit_least_squares
from netstitch.fitting.refinement.union_graph import UnionGraph
from netstitch.text import expected_one_of

METHODS: Mapping[str, Callable[..., FitReport]] = {
    "least-squares": fit_least_squares,
    "adam": fit_adam,
}


def fit(
    joined: UnionGraph,
    layers: Sequence[nn.Linear | nn.Conv2d],
    batches: Iterable[Batch],
    *,
    method: str = "least-squares",
    progress: Progress | None = None,
    **settings: Any,
) -> FitReport:
    """Fit all stitches of a supernet by the named method: "least-squares" or "adam".

    Arguments are those of `fit_least_squares` and `fit_adam`; settings are the keyword arguments
    of the method. Raises FittingError for a method or setting that does not exist.
    """
    if not isinstance(method, str) or method not in METHODS:
        expected = REMOVED.get(("method", str(method))) or expected_one_of(method, METHODS)
        raise FittingError(f"unknown fitting method {method!r}: {expected}")
    check_settings(method, METHODS[method], settings)
    chosen = METHODS[method]
    return chosen(joined.stitches, layers, joined.features, batches, progress=progress, **settings)
