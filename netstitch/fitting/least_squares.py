"""Fit every stitch exactly, in one pass over the data.

The paper trains its stitches by gradient descent on a mean squared error (section 3, "Training
stitching layers"). The map is linear, so the minimum that training approaches has a closed form:
one pass gathers the moments of the matched features, and one solve per stitch gives the map.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from math import inf
from time import perf_counter

from torch import Tensor, nn

from netstitch.errors import FittingError
from netstitch.fitting.feature_stream import (
    Batch,
    Features,
    Progress,
    check_finite,
    check_holdout,
    check_samples,
    check_shapes,
    check_stitches,
    cut,
    image_bytes,
    inputs,
    layouts,
    places,
    sizes,
    split,
)
from netstitch.fitting.fit_report import FitReport, StitchFit
from netstitch.fitting.moments import POSITIONS, SINGLE_PRODUCTS, Moments, moments_bytes
from netstitch.fitting.solve import RIDGE, relative_error, solve
from netstitch.fitting.stitch_layers import write_layers
from netstitch.stitching.stitch import FeatureRef, Stitch


@dataclass(frozen=True)
class SourceGroup:
    """The stitches of one match: they share their moments, in whichever direction they go.

    match: its index. members: indices of its stitches. pairs: of indices into `points`, one per
    stitch. bytes: what its moments take, those of the held-out samples included.
    """

    match: int
    members: tuple[int, ...]
    points: tuple[FeatureRef, ...]
    widths: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    bytes: int


@dataclass(frozen=True)
class Fitted:
    """A stitch's layer to be: weight (outputs, inputs) and bias (outputs,) in float32, and its
    error on held-out samples."""

    weight: Tensor
    bias: Tensor
    error: float | None


def fit_least_squares(
    stitches: Sequence[Stitch],
    layers: Sequence[nn.Linear | nn.Conv2d],
    features: Features,
    batches: Iterable[Batch],
    *,
    ridge: float = RIDGE,
    memory_budget: int = 2_000_000_000,
    holdout: float = 0.125,
    positions: int = POSITIONS,
    progress: Progress | None = None,
) -> FitReport:
    """Give every layer the weights of least mean squared error, and freeze it.

    stitches, layers: one layer per stitch, written only once all is computed.
    features: gives the original values of points on a batch of inputs.
    batches: inputs (batch, ...), or tuples that start with them.
    ridge: how strongly weights are drawn to 0, relative to the mean variance of the source's
        features; 0 for plain least squares. A number below what float32 products resolve (1e-6)
        makes them float64, at up to twice the time; solves are always in float64.
    memory_budget: bytes for the moments, those of the held-out samples included, and as many again
        for features: a batch whose features take more is read in parts. Copies of one match's
        features, and the working memory of one solve, come on top. Matches whose moments do not
        fit together are fitted in several passes, for which `batches` must be iterable more than
        once.
    holdout: share of the samples, spread evenly, that the reported errors are measured on.
    positions: of larger maps so many are looked at in each image, other ones in each batch.
    progress: called after every batch with batches done, batches in all, and a line of text.

    Raises FittingError where there is nothing to fit on, features are not finite or of other
    shapes than the stitches, or the budget is too small; the layers are then as they were.
    """
    begin = perf_counter()
    check_stitches(stitches, layers)
    check_holdout(holdout)
    _check_settings(ridge, positions)
    groups_of_all = match_groups(stitches)
    passes = plan_passes(groups_of_all, memory_budget)
    if len(passes) > 1 and isinstance(batches, Iterator):
        needed = sum(group.bytes for group in groups_of_all)
        raise FittingError(
            f"the moments take {needed:,} bytes, over the memory budget of {memory_budget:,}, and "
            "the batches can be read only once: give a list or a data loader, or raise "
            "memory_budget"
        )
    fitted: dict[int, Fitted] = {}
    counts: list[tuple[int, int]] = []
    for number, groups in enumerate(passes, start=1):
        report = _reporter(progress, batches, number, len(passes))
        moments, count = _gather(
            groups, stitches, features, batches, holdout, ridge, memory_budget, positions, report
        )
        if counts and count != counts[0]:
            raise FittingError(
                f"the batches held {sum(counts[0])} samples in the first pass and {sum(count)} "
                "now: give batches that can be read again, or raise memory_budget"
            )
        check_samples(*count, holdout)
        counts.append(count)
        for group, (train, held) in zip(groups, moments, strict=True):
            fitted.update(_solve_group(group, train, held, ridge))
        del moments, train, held  # before the next pass makes its own
    ordered = [fitted[i] for i in range(len(stitches))]
    write_layers(layers, [(each.weight, each.bias) for each in ordered])
    return FitReport(
        method="least-squares",
        settings={
            "ridge": ridge,
            "memory_budget": memory_budget,
            "holdout": holdout,
            "positions": positions,
        },
        samples=counts[0][0],
        held_out=counts[0][1],
        seconds=perf_counter() - begin,
        rows=tuple(
            StitchFit(stitch.match, stitch.source, stitch.target, each.error)
            for stitch, each in zip(stitches, ordered, strict=True)
        ),
    )


def _check_settings(ridge: float, positions: int) -> None:
    if not 0 <= ridge < inf:
        raise FittingError(f"ridge is {ridge}: expected a finite number, 0 or more")
    if positions < 1:
        raise FittingError(f"positions is {positions}: expected 1 or more of each image")


def match_groups(stitches: Sequence[Stitch]) -> list[SourceGroup]:
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
        points = tuple(places(own))
        widths = tuple(width[place] for place in points)
        pairs = tuple((points.index(s.source), points.index(s.target)) for s in own)
        needed = 2 * moments_bytes(widths, pairs)
        groups.append(SourceGroup(match, tuple(indices), points, widths, pairs, needed))
    return groups


def plan_passes(groups: Sequence[SourceGroup], memory_budget: int) -> list[list[SourceGroup]]:
    """Groups in order, cut into runs whose moments fit the budget (bytes) together.

    Raises FittingError where a single group does not fit.
    """
    passes: list[list[SourceGroup]] = []
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
    groups: Sequence[SourceGroup],
    stitches: Sequence[Stitch],
    features: Features,
    batches: Iterable[Batch],
    holdout: float,
    ridge: float,
    memory_budget: int,
    positions: int,
    report: Callable[[int], None],
) -> tuple[list[tuple[Moments, Moments]], tuple[int, int]]:
    """Gather each group's moments, and count the samples: those to fit on, and those held out."""
    own = [stitches[i] for group in groups for i in group.members]
    precise = ridge < SINGLE_PRODUCTS  # too weak to hide the rounding of products in float32
    moments = [
        (
            Moments(group.widths, group.pairs, precise=precise),
            Moments(group.widths, group.pairs, precise=precise),
        )
        for group in groups
    ]
    fitted = held_out = 0
    for number, batch in inputs(batches):
        for values in cut(batch, image_bytes(own), memory_budget):
            train, held = split(fitted + held_out, len(values), holdout)
            pairs = zip(groups, moments, strict=True)
            _add(pairs, own, features, values, (train, held), positions, number)
            fitted += len(train)
            held_out += len(held)
        report(number)
    return moments, (fitted, held_out)


def _add(
    moments: Iterable[tuple[SourceGroup, tuple[Moments, Moments]]],
    stitches: Sequence[Stitch],
    features: Features,
    values: Tensor,
    parts: tuple[Tensor, Tensor],
    positions: int,
    number: int,
) -> None:
    """Take in some inputs of batch `number`; parts: which are fitted on, and which held out.

    A function of its own, so that features are let go before the next ones are read.
    """
    wanted = places(stitches)
    found = dict(zip(wanted, features(values, wanted), strict=True))
    check_shapes(found, stitches, len(values))
    placed = [part.to(found[wanted[0]].device) for part in parts]
    layout = layouts(stitches)
    for group, both in moments:
        for each, samples in zip(both, placed, strict=True):
            each.add([layout[p].rows(found[p], samples, positions, number) for p in group.points])
            if not each.finite:
                check_finite(found, values, f"batch {number}")
                raise FittingError(
                    f"match {group.match} has features too large to "
                    f"square in float32 on batch {number}: scale the inputs down"
                )


def _solve_group(
    group: SourceGroup, train: Moments, held: Moments, ridge: float
) -> Iterator[tuple[int, Fitted]]:
    """Solve for every stitch of the group, by its index, and measure it on held-out samples."""
    members = dict(zip(group.pairs, group.members, strict=True))
    for source in dict.fromkeys(source for source, _ in members):
        targets = [target for start, target in members if start == source]
        for target, best in zip(targets, solve(train, source, targets, ridge), strict=True):
            # The error is that of the layer, which rounds to float32.
            weight, bias = best.weight.float(), best.bias.float()
            error = relative_error(held, source, target, weight, bias)
            yield members[source, target], Fitted(weight, bias, error)


def _reporter(
    progress: Progress | None, batches: Iterable[Batch], number: int, passes: int
) -> Callable[[int], None]:
    """Turns the batches done in pass `number` into a call of `progress`."""
    if progress is None:
        return lambda done: None
    try:
        length = len(batches) if isinstance(batches, Sized) else None
    except TypeError:  # a loader of a data set without length
        length = None
    total = None if length is None else length * passes
    before = 0 if length is None else length * (number - 1)
    text = "least squares" if passes == 1 else f"least squares, pass {number} of {passes}"
    return lambda done: progress(before + done, total, text)
