"""The methods of fitting, and the entry that takes one, and its settings, by name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netstitch.errors import FittingError
from netstitch.fitting.adam import fit_adam
from netstitch.fitting.feature_stream import Batch, Features, Layer, ProgressCallback
from netstitch.fitting.fit_report import FitReport
from netstitch.fitting.fit_settings import AdamSettings, FittingSettings, LeastSquaresSettings
from netstitch.fitting.least_squares import fit_least_squares
from netstitch.fitting.refinement.union_graph import UnionGraph
from netstitch.stitching.stitch import Stitch
from netstitch.text import expected_one_of


@dataclass(frozen=True)
class FitMethod:
    """A method of fitting, and the class of its settings.

    Attributes:
        fit: Fits the layers of stitches on features of batches, as `fit_least_squares` does.
        settings: What `fit` takes as its fifth argument.
    """

    fit: Callable[
        [
            Sequence[Stitch],
            Sequence[Layer],
            Features,
            Iterable[Batch],
            Any,
            ProgressCallback | None,
        ],
        FitReport,
    ]
    settings: type[FittingSettings]


METHODS: Mapping[str, FitMethod] = {
    "least-squares": FitMethod(fit_least_squares, LeastSquaresSettings),
    "adam": FitMethod(fit_adam, AdamSettings),
}


def check_method(method: object) -> None:
    """Raise FittingError where there is no method of a name."""
    if isinstance(method, str) and method in METHODS:
        return
    expected = expected_one_of(method, METHODS)
    if method == "sequential":
        expected = (
            "it was removed: give 'least-squares', and refine the stitches for inputs that come "
            "through others"
        )
    raise FittingError(f"unknown fitting method {method!r}; {expected}")


def fit(
    union: UnionGraph,
    layers: Sequence[Layer],
    batches: Iterable[Batch],
    *,
    method: str = "least-squares",
    progress: ProgressCallback | None = None,
    **settings: object,
) -> FitReport:
    """Fit all stitches of a supernet by the named method.

    Args:
        union: The supernet.
        layers: One per stitch, written only once all is fitted.
        batches: Inputs (batch, ...), or tuples that start with them.
        method: One of METHODS.
        progress: Called now and then.
        **settings: Fields of the method's settings.

    Raises:
        FittingError: The method or a setting is not known, or the method cannot fit.
    """
    check_method(method)
    chosen = METHODS[method]
    given = chosen.settings.from_keywords(settings, ("method", "progress", "threads"))
    return chosen.fit(union.stitches, layers, union.features, batches, given, progress)
