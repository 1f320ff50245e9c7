"""Fit every stitch exactly, in one pass over the data.

The paper trains its stitches by gradient descent on a mean squared error (section 3, "Training
stitching layers"). The map is linear, so the minimum that training approaches has a closed form:
one pass gathers the moments of the matched features, and one solve per stitch gives the map. What
is left to choose is the ridge: by default each stitch's own, on held-out samples (see `ridge.py`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from math import inf
from time import perf_counter

from torch import Tensor, nn

from netstitch.errors import FittingError
from netstitch.fitting.layers import write_layers
from netstitch.fitting.moments import POSITIONS, Moments, moments_bytes, needs_precise, rows
from netstitch.fitting.report import FitReport, StitchFit
from netstitch.fitting.ridge import choose_ridges, split_choosing
from netstitch.fitting.solve import factorise, relative_error, solve_from
from netstitch.fitting.stream import (
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
    places,
    sizes,
    split,
)
from netstitch.stitching.stitch import Place, Stitch

HELD_OUT = "held-out"
"""The ridge that is chosen for each stitch."""


@dataclass(frozen=True)
class Group:
    """The stitches of one match: they share their moments, in whichever direction they go.

    match: its index. members: indices of its stitches. pairs: of indices into `points`, one per
    stitch. bytes: what its moments take, those of all parts of the samples together.
    """

    match: int
    members: tuple[int, ...]
    points: tuple[Place, ...]
    widths: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    bytes: int


@dataclass(frozen=True)
class Parts:
    """A group's moments: of the samples fitted on, of those that errors are reported on, and of
    those that ridges are chosen with, where they are."""

    train: Moments
    held: Moments
    choosing: Moments | None

    @property
    def all(self) -> tuple[Moments, ...]:
        first = (self.train, self.held)
        return first if self.choosing is None else (*first, self.choosing)


@dataclass(frozen=True)
class Fitted:
    """A stitch's layer to be: weight (outputs, inputs) and bias (outputs,) in float32, its error
    on held-out samples, and its ridge."""

    weight: Tensor
    bias: Tensor
    error: float | None
    ridge: float


def fit_least_squares(
    stitches: Sequence[Stitch],
    layers: Sequence[nn.Linear | nn.Conv2d],
    features: Features,
    batches: Iterable[Batch],
    *,
    ridge: float | str = HELD_OUT,
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
        features; 0 for plain least squares. "held-out" chooses each stitch's own out of
        `ridge.RIDGES`: as many of the samples to fit on as `holdout` says are set aside, the ridge
        of least error on them is taken, and the stitch is then fitted on all. A number below what
        float32 products resolve (1e-6, which is also the weakest that is chosen) makes them
        float64, at up to twice the time; solves are always in float64.
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
    check_positions(positions)
    chosen = check_ridge(ridge)
    groups_of_all = match_groups(stitches, parts=3 if chosen is None else 2)
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
            groups, stitches, features, batches, holdout, chosen, memory_budget, positions, report
        )
        if counts and count != counts[0]:
            raise FittingError(
                f"the batches held {sum(counts[0])} samples in the first pass and {sum(count)} "
                "now: give batches that can be read again, or raise memory_budget"
            )
        check_samples(*count, holdout)
        counts.append(count)
        for group, parts in zip(groups, moments, strict=True):
            fitted.update(_solve_group(group, parts, chosen))
        del moments, parts  # before the next pass makes its own
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
            StitchFit(stitch.match, stitch.source, stitch.target, each.error, each.ridge)
            for stitch, each in zip(stitches, ordered, strict=True)
        ),
    )


def check_positions(positions: int) -> None:
    """Raise FittingError for less than one."""
    if positions < 1:
        raise FittingError(f"positions is {positions}: expected 1 or more of each image")


def check_ridge(ridge: float | str) -> float | None:
    """The number, or None for "held-out"; FittingError for anything else."""
    if ridge == HELD_OUT:
        return None
    if isinstance(ridge, str) or not 0 <= ridge < inf:
        raise FittingError(
            f"ridge is {ridge}: expected {HELD_OUT!r}, or a finite number, 0 or more"
        )
    return float(ridge)


def match_groups(stitches: Sequence[Stitch], parts: int = 2) -> list[Group]:
    """The stitches by match, in order of first appearance; `parts` of the samples are kept apart.

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
        needed = parts * moments_bytes(widths, pairs)
        groups.append(Group(match, tuple(indices), points, widths, pairs, needed))
    return groups


def plan_passes(groups: Sequence[Group], memory_budget: int) -> list[list[Group]]:
    """Groups in order, cut into runs whose moments fit the budget (bytes) together.

    Raises FittingError where a single group does not fit.
    """
    passes: list[list[Group]] = []
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
    groups: Sequence[Group],
    stitches: Sequence[Stitch],
    features: Features,
    batches: Iterable[Batch],
    holdout: float,
    ridge: float | None,
    memory_budget: int,
    positions: int,
    report: Callable[[int], None],
) -> tuple[list[Parts], tuple[int, int]]:
    """Moments of the parts per group, and how many samples are for fitting and held out."""
    own = [stitches[i] for group in groups for i in group.members]
    moments = [_empty(group, ridge) for group in groups]
    fitted = held_out = 0
    for number, batch in inputs(batches):
        for values in cut(batch, image_bytes(own), memory_budget):
            train, held = split(fitted + held_out, len(values), holdout)
            shares = [train, held]
            if ridge is None:
                fitting, choosing = split_choosing(fitted, train, holdout)
                shares = [fitting, held, choosing]
            pairs = zip(groups, moments, strict=True)
            _add(pairs, own, features, values, shares, positions, number)
            fitted += len(train)
            held_out += len(held)
        report(number)
    return moments, (fitted, held_out)


def _add(
    moments: Iterable[tuple[Group, Parts]],
    stitches: Sequence[Stitch],
    features: Features,
    values: Tensor,
    shares: Sequence[Tensor],
    positions: int,
    number: int,
) -> None:
    """Take in some inputs of batch `number`; shares: which of them each of the parts gets.

    A function of its own, so that features are let go before the next ones are read.
    """
    wanted = places(stitches)
    found = dict(zip(wanted, features(values, wanted), strict=True))
    check_shapes(found, stitches, len(values))
    placed = [share.to(found[wanted[0]].device) for share in shares]
    for group, parts in moments:
        for each, samples in zip(parts.all, placed, strict=True):
            each.add([rows(found[place], samples, positions, number) for place in group.points])
            if not each.finite:
                check_finite(found, values, f"batch {number}")
                raise FittingError(
                    f"match {group.match} has features too large to "
                    f"square in float32 on batch {number}: scale the inputs down"
                )


def _empty(group: Group, ridge: float | None) -> Parts:
    precise = ridge is not None and needs_precise(ridge)
    train, held = (Moments(group.widths, group.pairs, precise=precise) for _ in range(2))
    return Parts(train, held, Moments(group.widths, group.pairs) if ridge is None else None)


def _solve_group(group: Group, parts: Parts, ridge: float | None) -> Iterator[tuple[int, Fitted]]:
    """Every stitch of the group, by its index; those of one source share what can be shared.

    Without a ridge, each gets its own. The moments chosen with are then merged into the others.
    """
    members = dict(zip(group.pairs, group.members, strict=True))
    ridges = dict.fromkeys(members, ridge or 0.0)
    sources = dict.fromkeys(source for source, _ in members)
    if parts.choosing is not None:
        for source in sources:
            targets = [target for start, target in members if start == source]
            chosen = choose_ridges(parts.train, parts.choosing, source, targets)
            ridges |= zip([(source, target) for target in targets], chosen, strict=True)
        parts.train.merge(parts.choosing)
    for start, own in dict.fromkeys((source, ridges[source, end]) for source, end in members):
        factors = factorise(parts.train, start, own)
        for (source, target), member in members.items():
            if (source, ridges[source, target]) == (start, own):
                best = solve_from(factors, parts.train, target)
                # The error is that of the layer, which rounds to float32.
                weight, bias = best.weight.float(), best.bias.float()
                error = relative_error(parts.held, source, target, weight, bias)
                yield member, Fitted(weight, bias, error, own)


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
