"""Fit every stitch exactly, in one pass over the data.

The paper trains its stitches by gradient descent on a mean squared error (section 3, "Training
stitching layers"). The map is linear, so the minimum that training approaches has a closed form:
one pass gathers the moments of the matched features, and one solve per stitch gives the map.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from torch import Tensor

from netstitch.errors import FittingError
from netstitch.fitting.feature_stream import (
    Batch,
    Features,
    Layer,
    Progress,
    check_finite,
    check_samples,
    check_stitches,
    count_batches,
    cut,
    image_bytes,
    inputs,
    points_of,
    read_features,
    sizes,
    split,
)
from netstitch.fitting.fit_report import FitReport, StitchFit
from netstitch.fitting.fit_settings import LeastSquaresSettings
from netstitch.fitting.moments import SINGLE_PRODUCTS, Moments, moments_bytes
from netstitch.fitting.solve import LinearMap, relative_error, solve
from netstitch.fitting.stitch_layers import write_layers
from netstitch.networks.feature_layout import FeatureLayout
from netstitch.stitching.stitch import FeatureRef, Stitch


@dataclass(frozen=True)
class MatchGroup:
    """The stitches of one match: they share their moments, in whichever direction they go.

    Attributes:
        match: Index of the match.
        members: Indices of its stitches.
        points: The points that they join.
        layout: How all of these hold their features.
        widths: Features of each point.
        pairs: Indices into `points` of the source and the target of each stitch.
        bytes: Memory of its moments, those of the held-out samples included.
    """

    match: int
    members: tuple[int, ...]
    points: tuple[FeatureRef, ...]
    layout: FeatureLayout
    widths: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    bytes: int


GroupMoments = tuple[MatchGroup, Moments, Moments]
"""A group, with the moments of the samples fitted on and of those held out."""


def fit_least_squares(
    stitches: Sequence[Stitch],
    layers: Sequence[Layer],
    features: Features,
    batches: Iterable[Batch],
    settings: LeastSquaresSettings,
    progress: Progress | None = None,
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
        settings: The ridge, the memory, and which samples and positions are looked at.
        progress: Called after every batch with batches done and batches in all.

    Raises:
        FittingError: There is nothing to fit on, features are not finite or of other shapes than
            the stitches, or the budget is too small; the layers are then as they were.
    """
    begin = perf_counter()
    check_stitches(stitches, layers)
    groups_of_all = match_groups(stitches)
    passes = plan_passes(groups_of_all, settings.memory_budget)
    if len(passes) > 1 and isinstance(batches, Iterator):
        needed = sum(group.bytes for group in groups_of_all)
        raise FittingError(
            f"the moments take {needed:,} bytes, over the memory budget of "
            f"{settings.memory_budget:,}, and the batches can be read only once: give a list or a "
            "data loader, or raise memory_budget"
        )
    fitted: dict[int, tuple[LinearMap, float | None]] = {}
    counts: list[tuple[int, int]] = []
    for number, groups in enumerate(passes, start=1):
        report = _batch_counter(progress, batches, number, len(passes))
        moments, count = _gather(groups, stitches, features, batches, settings, report)
        if counts and count != counts[0]:
            raise FittingError(
                f"the batches held {sum(counts[0])} samples in the first pass and {sum(count)} "
                "now: give batches that can be read again, or raise memory_budget"
            )
        check_samples(*count, settings.holdout)
        counts.append(count)
        for each in moments:
            fitted.update(_solve_group(each, settings.ridge))
        del moments, each  # before the next pass makes its own
    write_layers(layers, [(best.weight, best.bias) for _, (best, _) in sorted(fitted.items())])
    return FitReport(
        method="least-squares",
        settings=settings.model_dump(),
        samples=counts[0][0],
        held_out=counts[0][1],
        seconds=perf_counter() - begin,
        rows=tuple(
            StitchFit(stitch.match, stitch.source, stitch.target, fitted[i][1])
            for i, stitch in enumerate(stitches)
        ),
    )


def match_groups(stitches: Sequence[Stitch]) -> list[MatchGroup]:
    """Return the stitches by match, in order of first appearance.

    A point belongs to one match at most, so all stitches that start from it are in one group.
    """
    width = sizes(stitches)
    members: dict[int, list[int]] = {}
    for i, stitch in enumerate(stitches):
        members.setdefault(stitch.match, []).append(i)
    groups = []
    for match, indices in members.items():
        own = [stitches[i] for i in indices]
        points = tuple(points_of(own))
        widths = tuple(width[point] for point in points)
        pairs = tuple((points.index(s.source), points.index(s.target)) for s in own)
        needed = 2 * moments_bytes(widths, pairs)
        groups.append(
            MatchGroup(match, tuple(indices), points, own[0].layout, widths, pairs, needed)
        )
    return groups


def plan_passes(groups: Sequence[MatchGroup], memory_budget: int) -> list[list[MatchGroup]]:
    """Cut groups, in order, into runs whose moments fit the budget (bytes) together.

    Raises:
        FittingError: A single group does not fit.
    """
    passes: list[list[MatchGroup]] = []
    used = 0
    for group in groups:
        if group.bytes > memory_budget:
            raise FittingError(
                f"memory_budget is {memory_budget:,} bytes: the largest match alone needs "
                f"{max(g.bytes for g in groups):,}"
            )
        if not passes or used + group.bytes > memory_budget:
            passes.append([])
            used = 0
        passes[-1].append(group)
        used += group.bytes
    return passes


def _gather(
    groups: Sequence[MatchGroup],
    stitches: Sequence[Stitch],
    features: Features,
    batches: Iterable[Batch],
    settings: LeastSquaresSettings,
    report: Callable[[int], None],
) -> tuple[list[GroupMoments], tuple[int, int]]:
    """Gather each group's moments, and count the samples: those to fit on, and those held out."""
    own = [stitches[i] for group in groups for i in group.members]
    precise = settings.ridge < SINGLE_PRODUCTS  # too weak to hide the rounding of float32 products

    def moments_of(group: MatchGroup) -> Moments:
        return Moments(group.widths, group.pairs, precise=precise)

    moments = [(group, moments_of(group), moments_of(group)) for group in groups]
    fitted = held_out = 0
    for number, batch in inputs(batches):
        for values in cut(batch, image_bytes(own), settings.memory_budget):
            parts = split(fitted + held_out, len(values), settings.holdout)
            found = read_features(own, features, values)
            _add(moments, parts, found, values, settings.positions, number)
            del found  # before the next ones are read
            fitted += len(parts[0])
            held_out += len(parts[1])
        report(number)
    return moments, (fitted, held_out)


def _add(
    moments: Sequence[GroupMoments],
    parts: tuple[Tensor, Tensor],
    found: dict[FeatureRef, Tensor],
    values: Tensor,
    positions: int,
    number: int,
) -> None:
    """Take in features of inputs of batch `number`; parts: those fitted on, and those held out."""
    device = next(iter(found.values())).device
    for group, *both in moments:
        layout = group.layout
        for each, samples in zip(both, (part.to(device) for part in parts), strict=True):
            each.add(
                [layout.rows(found[point], samples, positions, number) for point in group.points]
            )
            if not each.finite:
                check_finite(found, values, f"batch {number}")
                raise FittingError(
                    f"match {group.match} has features too large to "
                    f"square in float32 on batch {number}: scale the inputs down"
                )


def _solve_group(
    gathered: GroupMoments, ridge: float
) -> Iterator[tuple[int, tuple[LinearMap, float | None]]]:
    """Yield the map of every stitch of a group, by its index, and its error on held-out samples."""
    group, train, held = gathered
    members = dict(zip(group.pairs, group.members, strict=True))
    for source in dict.fromkeys(source for source, _ in members):
        targets = [target for start, target in members if start == source]
        for target, best in zip(targets, solve(train, source, targets, ridge), strict=True):
            # The error is that of the layer, which rounds to float32.
            rounded = LinearMap(best.weight.float(), best.bias.float())
            error = relative_error(held, source, target, rounded.weight, rounded.bias)
            yield members[source, target], (rounded, error)


def _batch_counter(
    progress: Progress | None, batches: Iterable[Batch], number: int, passes: int
) -> Callable[[int], None]:
    """Return what calls `progress` with the batches done in pass `number`."""
    if progress is None:
        return lambda done: None
    length = count_batches(batches)
    total = None if length is None else length * passes
    before = 0 if length is None else length * (number - 1)
    text = "least squares" if passes == 1 else f"least squares, pass {number} of {passes}"
    return lambda done: progress(before + done, total, text)
