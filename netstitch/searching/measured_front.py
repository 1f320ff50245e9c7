"""The networks that a search found, measured on validation and test samples."""

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any

import torch

from netstitch.analysis import Front, FrontPoint, Interval, make_front, paired_difference
from netstitch.analysis.bootstrap import independent_difference
from netstitch.analysis.front_point import ACCURACY, ENSEMBLE, ObjectiveName, Split
from netstitch.costs import MULTIPLY_ADDS, Cost
from netstitch.errors import NetstitchError
from netstitch.evaluation import NumericsConfig
from netstitch.evaluation.metrics import Metrics, measure
from netstitch.events import Listener, Message, ignore
from netstitch.fitting import Batch
from netstitch.optimization import Solution
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.text import one_line


def measure_front(
    supernet: Supernet,
    task: Task,
    genotypes: Sequence[Genotype],
    form: NumericsConfig,
    device: torch.device | str = "cpu",
    listener: Listener = ignore,
    *,
    recalibration: Sequence[Batch] | None = None,
    objective: ObjectiveName = ACCURACY,
    cost: Cost = MULTIPLY_ADDS,
) -> Front:
    """Measure networks and references on all samples but training's, and keep the front.

    Ctrl-C or an error while confirmation or test samples are measured leaves these out, since the
    front is worth more than its test: the listener is then given the reason.

    Args:
        supernet: With fitted stitches.
        task: What is measured.
        genotypes: What a search found; equal and dominated ones are dropped, by the objective on
            validation samples.
        form: Numerical form of the measurement.
        device: Where it runs.
        listener: Told what is left out.
        recalibration: As of `search`.
        objective: What makes a front with the cost.
        cost: What networks are to need little of.
    """
    references = supernet.references()
    everything = [*references.values(), *genotypes]

    def measured(samples: Samples) -> list[Metrics]:
        return measure(
            supernet, task, samples, everything, form, device, recalibration=recalibration
        )

    parts: dict[Split, list[Metrics]] = {"validation": measured(task.validation)}
    for part, samples in task.measured.items():
        if part in parts:
            continue
        try:
            parts[part] = measured(samples)
        except (KeyboardInterrupt, NetstitchError, RuntimeError) as error:
            listener(Message(f"not measured on {part} samples: {one_line(error)}"))
            break
    # Of other choices of outputs the ensemble need not be one.
    ensemble = list(references).index(ENSEMBLE) if ENSEMBLE in references else None
    labels = [*references, *[""] * len(genotypes)]
    points = [
        FrontPoint(
            label=labels[index],
            genotype=tuple(int(value) for value in genotype),
            multiply_adds=supernet.macs(genotype),
            parameters=supernet.parameters_of(genotype),
            cost=float(cost.of(supernet, genotype)),
            stitches=len(supernet.active_stitches(genotype)),
            output=supernet.outputs[int(genotype[-1])],
            **_measures(parts, index, ensemble),
        )
        for index, genotype in enumerate(everything)
    ]
    count = len(references)
    return make_front(points[count:], points[:count], task.measure, objective, cost.name, cost.unit)


def _measures(
    parts: Mapping[Split, Sequence[Metrics]], index: int, ensemble: int | None
) -> dict[str, Any]:
    """Return the measures of a network, as fields of a point."""
    own = {part: found[index] for part, found in parts.items()}
    fields: dict[str, Any] = {part: metrics.share for part, metrics in own.items()}
    for part, found in parts.items():
        fields[f"{part}_difference"] = _difference(found, index, ensemble)
        if part != "validation":
            name = "gap" if part == "test" else f"{part}_gap"
            correct = own["validation"].correct, own[part].correct
            fields[name] = independent_difference(*correct, seed=0)
    fields["further"] = {
        f"{part} {name}": value
        for part, metrics in own.items()
        for name, value in metrics.further.items()
    }
    for name in ("cross_entropy", "calibration"):
        values = {part: getattr(metrics, name) for part, metrics in own.items()}
        fields[name] = {part: value for part, value in values.items() if value is not None}
    return fields


def largest_difference(front: Front, found: Sequence[Solution]) -> float:
    """Return the most by which the front's objective differs from what the search took it for.

    Args:
        front: As it was measured.
        found: By the search, the score first: accuracy, or exp(-cross-entropy).
    """
    taken = {
        tuple(one.genotype.tolist()): one.objectives[0]
        for one in found
        if one.objectives is not None
    }
    return max(
        (
            abs(_score(point, front.objective) - taken[point.genotype])
            for point in (*front.points, *front.references)
            if point.genotype in taken
        ),
        default=0.0,
    )


def _score(point: FrontPoint, objective: ObjectiveName) -> float:
    if objective == ACCURACY:
        return point.validation
    return exp(-point.cross_entropy["validation"])


def _difference(measured: Sequence[Metrics], index: int, ensemble: int | None) -> Interval | None:
    if ensemble is None or index == ensemble:
        return None
    return paired_difference(measured[index].correct, measured[ensemble].correct, seed=0)
