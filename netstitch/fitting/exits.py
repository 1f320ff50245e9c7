"""Fit exits to the ensemble: softmax regressions of its probabilities on features of points.

No labels are needed. Beside a point's own features, an exit may read those of points before it;
held-out samples decide that, and how strongly weights are drawn to 0.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import torch
from torch import Tensor

from netstitch.events import Advanced, Listener, ignore
from netstitch.fitting.exit_points import ExitPoint, exit_points
from netstitch.fitting.exit_report import ExitFit, ExitReport, Fate
from netstitch.fitting.exit_samples import EnsembleTeacher, ExitSamples, read_samples
from netstitch.fitting.exit_trial import FIRST, STRENGTHS, ExitTrial
from netstitch.fitting.feature_stream import Batch, check_samples, count_batches
from netstitch.fitting.fit_settings import ExitSettings
from netstitch.fitting.softmax_regression import (
    RAREST,
    LinearClassifier,
    Regression,
    working_bytes,
)
from netstitch.stitching.exit import Exit, exit_key
from netstitch.stitching.exit_graph import exits_graph
from netstitch.threads import available_cores, batch_workers


@dataclass(frozen=True)
class FittedExits:
    """Exits that are kept, their weights by key, and the report on all."""

    exits: tuple[Exit, ...]
    weights: dict[str, Tensor]
    report: ExitReport


@dataclass(frozen=True)
class _FittedExit:
    """An exit with its classifier of all samples, and how good it is on those held out."""

    exit: Exit
    classifier: LinearClassifier
    nats: Tensor
    agreement: float
    strength: float


def fit_exits(
    teacher: EnsembleTeacher,
    batches: Iterable[Batch],
    settings: ExitSettings,
    listener: Listener = ignore,
) -> FittedExits:
    """Fit exits at points of the basis networks.

    One pass over the batches, then a regression for each exit, side by side, each with one thread:
    results do not depend on the number of cores.

    Args:
        teacher: The networks.
        batches: Inputs (batch, ...), or tuples that start with them.
        settings: See there.
        listener: Told how far it is, in batches and then in exits.

    Raises:
        FittingError: There are too few samples, or features that are not finite.
    """
    begin = perf_counter()
    points = exit_points(teacher.structure, teacher.output, settings.exits, settings.points)
    places = [(each.own.network, each.own.point) for each in points]
    total = count_batches(batches)
    on_cpu = all(tensor.device.type == "cpu" for tensor in teacher.tensors.values())
    cores = available_cores()
    with batch_workers(cores) as pool:
        samples = read_samples(
            teacher,
            places,
            batches,
            holdout=settings.holdout,
            positions=settings.positions,
            memory_budget=settings.memory_budget,
            pool=pool,
            workers=cores if on_cpu else 1,
            progress=lambda done: listener(Advanced(done, total, "reading features for exits")),
        )
    check_samples(samples.samples - samples.held_out, samples.held_out, settings.holdout)
    found: list[_FittedExit] = []
    with batch_workers(min(cores, _most_at_once(samples, points, settings.memory_budget))) as pool:
        for one in pool.map(partial(_fit, samples), points):
            found.append(one)
            listener(Advanced(len(found), len(points), "fitting exits"))
    return _selected(teacher, samples, found, settings, begin)


def _most_at_once(samples: ExitSamples, points: Sequence[ExitPoint], memory: int) -> int:
    """Return the number of exits that may be fitted at the same time within memory (bytes)."""
    count, classes = samples.targets.shape
    widths = [
        sum(samples.features[one.network, name].shape[1] for name in one.points)
        for point in points
        for one in (point.own, point.so_far)
    ]
    return max(1, memory // working_bytes(count, max(widths, default=1), classes))


def _fit(samples: ExitSamples, point: ExitPoint) -> _FittedExit:
    """Return the exit of a point: of its own features, or of those so far where that is better."""
    best = ExitTrial(samples, point.own, FIRST)
    if len(point.so_far.points) > 1:
        # More features take more of a penalty.
        other = ExitTrial(samples, point.so_far, max(0, best.strength - 1), best.classifier)
        if other.nats < best.nats:
            best = other
    nats, agreement = best.finish()
    features = samples.joined([(best.exit.network, name) for name in best.exit.points])
    strength = STRENGTHS[best.strength]
    whole = Regression(features, samples.targets).solve(strength, best.classifier)
    return _FittedExit(best.exit, whole, nats, agreement, strength)


def _selected(
    teacher: EnsembleTeacher,
    samples: ExitSamples,
    found: list[_FittedExit],
    settings: ExitSettings,
    begin: float,
) -> FittedExits:
    """Return the exits that are worth their cost on held-out samples, with the report on all."""
    structure, output = teacher.structure, teacher.output
    fitted, held = samples.targets[~samples.held], samples.targets[samples.held]
    guess = fitted.mean(0, dtype=torch.float64).clamp(min=RAREST).log()
    constant = -(held * guess).sum(1)
    costs = {one.exit: exits_graph(structure, output, [one.exit]).multiply_adds for one in found}
    fates: dict[Exit, Fate] = {}
    for network in range(len(structure.graphs)):
        least = math.inf
        own = [one for one in found if one.exit.network == network]
        for one in sorted(own, key=lambda one: costs[one.exit]):
            nats = float(one.nats.mean())
            if not _surely_less(one.nats, constant):
                fates[one.exit] = "unsupported"
            else:
                fates[one.exit] = "kept" if nats < least else "dominated"
                least = min(least, nats)
    weights: dict[str, Tensor] = {}
    kept = [one for one in found if fates[one.exit] == "kept"]
    for one in kept:
        key = exit_key(structure.names, one.exit)
        weight = one.classifier.weight.T.float()
        weights[f"{key}.weight"] = weight.view(*weight.shape, *output.layout.kernel)
        weights[f"{key}.bias"] = one.classifier.bias.float()
    report = ExitReport(
        output=output.key,
        settings=settings.model_dump(),
        samples=samples.samples,
        held_out=samples.held_out,
        whole=samples.whole,
        seconds=perf_counter() - begin,
        constant=float(constant.mean()),
        least=float(-torch.special.xlogy(held, held).sum(1, dtype=torch.float64).mean()),
        rows=tuple(
            ExitFit(
                one.exit,
                costs[one.exit],
                float(one.nats.mean()),
                one.agreement,
                one.strength,
                fates[one.exit],
            )
            for one in found
        ),
    )
    return FittedExits(tuple(one.exit for one in kept), weights, report)


def _surely_less(nats: Tensor, others: Tensor) -> bool:
    """Return whether the mean is less than the other by more than its standard error."""
    gain = others - nats
    return bool(gain.mean() > gain.std(correction=0) / len(gain) ** 0.5)
