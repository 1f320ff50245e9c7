"""Fit every stitch exactly, in one pass over the data.

The paper trains its stitches by gradient descent on a mean squared error (section 3, "Training
stitching layers"). The map is linear, so the minimum that training approaches has a closed form:
one pass gathers the moments of the matched features, and one solve per stitch gives the map.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from torch import Tensor

from netstitch.errors import FittingError
from netstitch.fitting.feature_stream import (
    Batch,
    Features,
    Layer,
    ProgressCallback,
    check_finite,
    check_samples,
    check_stitches,
    count_batches,
    cut,
    image_bytes,
    inputs,
    points_of,
    read_features,
    split,
)
from netstitch.fitting.fit_report import FitReport, StitchFit
from netstitch.fitting.fit_settings import LeastSquaresSettings
from netstitch.fitting.moments import SINGLE_PRODUCTS, Moments
from netstitch.fitting.solve import LinearMap, relative_error, solve
from netstitch.fitting.stitch_layers import write_layers
from netstitch.networks.feature_layout import FeatureLayout
from netstitch.stitching.stitch import FeatureRef, Stitch


@dataclass(frozen=True)
class MatchGroup:
    """The stitches of one match: they share their moments, in whichever direction they go.

    Attributes:
        match: Index of the match.
        members: Indices of its stitches, by the indices into `points` of source and target.
        points: The points that they join.
        layout: How all of these hold their features.
        train: Moments of the samples fitted on, which take memory once there are any.
        held: Those of the samples held out.
    """

    match: int
    members: Mapping[tuple[int, int], int]
    points: tuple[FeatureRef, ...]
    layout: FeatureLayout
    train: Moments
    held: Moments

    @property
    def bytes(self) -> int:
        """Memory of its moments."""
        return self.train.bytes + self.held.bytes


def fit_least_squares(
    stitches: Sequence[Stitch],
    layers: Sequence[Layer],
    features: Features,
    batches: Iterable[Batch],
    settings: LeastSquaresSettings,
    progress: ProgressCallback | None = None,
) -> FitReport:
    """Give every layer the weights of least mean squared error, and freeze it.

    A ridge below what float32 products resolve (1e-6) makes them float64, at up to twice the time;
    solves are always in float64. Matches whose moments do not fit into the memory budget together
    are fitted in several passes, for which `batches` must be iterable more than once. As many
    bytes again may be features: a batch whose features take more is read in parts. Copies of one
    match's features, and the working memory of one solve, come on top.

    Args:
        stitches: One per layer.
        layers: Written only once all is computed.
        features: Gives the original values of points on a batch of inputs.
        batches: Inputs (batch, ...), or tuples that start with them.
        settings: Those of the method.
        progress: Called after every batch with batches done and batches in all.

    Raises:
        FittingError: There is nothing to fit on, features are not finite or of other shapes than
            the stitches, or the budget is too small; the layers are then as they were.
    """
    begin = perf_counter()
    check_stitches(stitches, layers)
    fitted: dict[int, tuple[LinearMap, float | None]] = {}

    def take(index: int, best: LinearMap, error: float | None) -> None:
        fitted[index] = best, error

    samples, held_out = solve_all(stitches, features, batches, settings, take, progress)
    write_layers(layers, [best for _, (best, _) in sorted(fitted.items())])
    return FitReport(
        method="least-squares",
        settings=settings.model_dump(),
        samples=samples,
        held_out=held_out,
        seconds=perf_counter() - begin,
        rows=tuple(
            StitchFit(stitch.match, stitch.source, stitch.target, fitted[i][1])
            for i, stitch in enumerate(stitches)
        ),
    )


def solve_all(
    stitches: Sequence[Stitch],
    features: Features,
    batches: Iterable[Batch],
    settings: LeastSquaresSettings,
    take: Callable[[int, LinearMap, float | None], None],
    progress: ProgressCallback | None = None,
) -> tuple[int, int]:
    """Find the map of every stitch, and return how many samples were fitted on and held out.

    Args:
        stitches: One or more.
        features: Gives the original values of points on a batch of inputs.
        batches: As `fit_least_squares` takes them.
        settings: Those of the method.
        take: Called with the index of each stitch, its map in float32, and the map's error on
            held-out samples, None where the target does not vary.
        progress: Called after every batch.

    Raises:
        FittingError: As `fit_least_squares` does.
    """
    groups_of_all = match_groups(stitches, precise=settings.ridge < SINGLE_PRODUCTS)
    needed = sum(group.bytes for group in groups_of_all)
    passes = plan_passes(groups_of_all, settings.memory_budget)
    if len(passes) > 1 and isinstance(batches, Iterator):
        raise FittingError(
            f"the moments take {needed:,} bytes, over the memory budget of "
            f"{settings.memory_budget:,}, and the batches can be read only once: give a list or a "
            "data loader, or raise memory_budget"
        )
    del groups_of_all  # each pass lets its groups go, and with them their moments
    counts: list[tuple[int, int]] = []
    for number, groups in enumerate(passes, start=1):
        counter = _batch_counter(progress, batches, number, len(passes))
        count = _gather(groups, stitches, features, batches, settings, counter)
        if counts and count != counts[0]:
            raise FittingError(
                f"the batches held {sum(counts[0])} samples in the first pass and {sum(count)} "
                "now: give batches that can be read again, or raise memory_budget"
            )
        check_samples(*count, settings.holdout)
        counts.append(count)
        while groups:
            for solved in _solve_group(groups.pop(), settings.ridge):
                take(*solved)
    return counts[0]


def match_groups(stitches: Sequence[Stitch], *, precise: bool = False) -> list[MatchGroup]:
    """Return the stitches by match, in order of first appearance.

    A point belongs to one match at most, so all stitches that start from it are in one group.
    """
    groups = []
    for match in dict.fromkeys(stitch.match for stitch in stitches):
        own = {i: stitch for i, stitch in enumerate(stitches) if stitch.match == match}
        points = points_of(own.values())
        places, widths = tuple(points), [point.width for point in points.values()]
        members = {(places.index(s.source), places.index(s.target)): i for i, s in own.items()}
        train, held = (Moments(widths, members, precise=precise) for _ in range(2))
        layout = points[places[0]].layout
        groups.append(MatchGroup(match, members, places, layout, train, held))
    return groups


def plan_passes(groups: Sequence[MatchGroup], memory_budget: int) -> list[list[MatchGroup]]:
    """Cut groups, in order, into runs whose moments fit the budget (bytes) together.

    Raises FittingError where a single group does not fit.
    """
    largest = max(group.bytes for group in groups)
    if largest > memory_budget:
        raise FittingError(
            f"memory_budget is {memory_budget:,} bytes: the largest match alone needs {largest:,}"
        )
    passes: list[list[MatchGroup]] = [[]]
    for group in groups:
        if sum(each.bytes for each in (*passes[-1], group)) > memory_budget:
            passes.append([])
        passes[-1].append(group)
    return passes


def _gather(
    groups: Sequence[MatchGroup],
    stitches: Sequence[Stitch],
    features: Features,
    batches: Iterable[Batch],
    settings: LeastSquaresSettings,
    progress: Callable[[int], None],
) -> tuple[int, int]:
    """Gather each group's moments, and count the samples: those fitted on, and those held out."""
    own = [stitches[i] for group in groups for i in group.members.values()]
    fitted = held_out = 0
    for number, batch in inputs(batches):
        for values in cut(batch, image_bytes(own), settings.memory_budget):
            train, held = split(fitted + held_out, len(values), settings.holdout)
            found = read_features(own, features, values)
            for group in groups:
                _add(group, group.train, train, found, values, settings.positions, number)
                _add(group, group.held, held, found, values, settings.positions, number)
            del found  # before the next ones are read
            fitted += len(train)
            held_out += len(held)
        progress(number)
    return fitted, held_out


def _add(
    group: MatchGroup,
    moments: Moments,
    samples: Tensor,
    found: dict[FeatureRef, Tensor],
    values: Tensor,
    positions: int,
    number: int,
) -> None:
    """Take in features of some samples of the inputs `values`, of batch `number`."""
    samples = samples.to(found[group.points[0]].device)
    moments.add([group.layout.rows(found[p], samples, positions, number) for p in group.points])
    if not moments.finite:
        check_finite(found, values, f"batch {number}")
        raise FittingError(
            f"match {group.match} has features too large to "
            f"square in float32 on batch {number}: scale the inputs down"
        )


def _solve_group(group: MatchGroup, ridge: float) -> Iterator[tuple[int, LinearMap, float | None]]:
    """Yield the map of every stitch of a group, by its index, and its error on held-out samples."""
    for source in dict.fromkeys(source for source, _ in group.members):
        targets = [target for start, target in group.members if start == source]
        for target, best in zip(targets, solve(group.train, source, targets, ridge), strict=True):
            # The error is that of the layer, which rounds to float32.
            rounded = LinearMap(best.weight.float(), best.bias.float())
            error = relative_error(group.held, source, target, *rounded)
            yield group.members[source, target], rounded, error


def _batch_counter(
    progress: ProgressCallback | None, batches: Iterable[Batch], number: int, passes: int
) -> Callable[[int], None]:
    """Return a function that calls `progress` with the batches done in pass `number`."""
    if progress is None:
        return lambda done: None
    length = count_batches(batches)
    total = None if length is None else length * passes
    before = 0 if length is None else length * (number - 1)
    text = "least squares" if passes == 1 else f"least squares, pass {number} of {passes}"
    return lambda done: progress(before + done, total, text)
