"""Small stand-ins for basis networks: every point is a function of the batch."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from netstitch.fitting import METHODS, Batch, Features, FitReport, ProgressCallback
from netstitch.fitting.feature_stream import Layer
from netstitch.networks.feature_layout import MAP, VECTOR
from netstitch.stitching.stitch import FeatureRef, Stitch

Point = Callable[[Tensor], Tensor]


def features_of(
    points: Mapping[FeatureRef, Point],
) -> Callable[[Tensor, Sequence[FeatureRef]], list[Tensor]]:
    """The features function of networks whose points are the given functions of the inputs."""

    def features(values: Tensor, places: Sequence[FeatureRef]) -> list[Tensor]:
        with torch.inference_mode():
            return [points[place](values) for place in places]

    return features


def both_ways(
    match: int, a: FeatureRef, b: FeatureRef, n_a: int, n_b: int, positions: int = 0
) -> list[Stitch]:
    """The two stitches of a match; positions 0 for points that are vectors."""
    rest = (MAP if positions else VECTOR, max(positions, 1))
    return [Stitch(match, a, b, n_a, n_b, *rest), Stitch(match, b, a, n_b, n_a, *rest)]


def linear_point(inputs: int, outputs: int, seed: int, noise: float = 0.3) -> Point:
    """A fixed map of (batch, inputs), with noise that depends on the sample only."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(inputs, outputs, generator=generator)
    twist = torch.randn(inputs, outputs, generator=generator)
    return lambda x: x @ weight + noise * torch.sin(7 * x @ twist)


def networks(
    widths: Sequence[tuple[int, int]], inputs: int = 6, seed: int = 0
) -> tuple[list[Stitch], dict[FeatureRef, Point]]:
    """Two networks with one match per pair of widths, and the functions at their points."""
    stitches: list[Stitch] = []
    points: dict[FeatureRef, Point] = {}
    for match, (n_a, n_b) in enumerate(widths):
        a, b = FeatureRef(0, f"a{match}"), FeatureRef(1, f"b{match}")
        points[a] = linear_point(inputs, n_a, seed + 2 * match)
        points[b] = linear_point(inputs, n_b, seed + 2 * match + 1)
        stitches += both_ways(match, a, b, n_a, n_b)
    return stitches, points


def random_inputs(count: int, width: int = 6, seed: int = 0) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def state(layers: Sequence[torch.nn.Module]) -> list[Tensor]:
    """Copies of all parameters."""
    return [p.detach().clone() for layer in layers for p in layer.parameters()]


def fit_by(
    method: str,
    stitches: Sequence[Stitch],
    layers: Sequence[Layer],
    features: Features,
    batches: Iterable[Batch],
    progress: ProgressCallback | None = None,
    **settings: Any,
) -> FitReport:
    """Fit by a method, its settings given by name."""
    chosen = METHODS[method].settings(**settings)
    return METHODS[method].fit(stitches, layers, features, batches, chosen, progress)


def least_squares(*given: Any, **settings: Any) -> FitReport:
    return fit_by("least-squares", *given, **settings)


def adam(*given: Any, **settings: Any) -> FitReport:
    return fit_by("adam", *given, **settings)
