"""Measures the networks that a search found on validation, confirmation and test samples."""

from collections.abc import Mapping, Sequence
from math import exp
from typing import TypedDict

import torch

from netstitch.analysis import (
    Front,
    FrontPoint,
    ObjectiveName,
    Split,
    make_front,
    paired_difference,
)
from netstitch.analysis.bootstrap import Interval, independent_difference
from netstitch.analysis.calibration import Calibration
from netstitch.analysis.front_point import ACCURACY, ENSEMBLE
from netstitch.costs import MULTIPLY_ADDS, Cost
from netstitch.errors import NetstitchError
from netstitch.evaluation import NumericsConfig
from netstitch.evaluation.metrics import Metrics, measure
from netstitch.events import Listener, Message, ignore
from netstitch.fitting import Batch
from netstitch.optimization import Solution
from netstitch.stitching.exit import Exit
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task
from netstitch.text import one_line


class SubnetworkFields(TypedDict):
    """Fields of a `FrontPoint` that are known of a subnetwork without running it."""

    genotype: tuple[int, ...]
    multiply_adds: int
    parameters: int
    cost: float
    stitches: int
    output: str
    exit: Exit | None


class MeasuredFields(TypedDict):
    """Fields of a `MeasuredPoint` that are measured; None on parts of the data that are not."""

    validation: float
    confirmation: float | None
    test: float | None
    validation_difference: Interval | None
    confirmation_difference: Interval | None
    test_difference: Interval | None
    confirmation_gap: Interval | None
    gap: Interval | None
    further: dict[str, float]
    cross_entropy: dict[str, float]
    calibration: dict[str, Calibration]


def measure_front(
    supernet: Supernet,
    task: Task,
    subnetworks: Sequence[Genotype | Exit],
    form: NumericsConfig,
    device: torch.device | str = "cpu",
    listener: Listener = ignore,
    *,
    recalibration: Sequence[Batch] | None = None,
    objective: ObjectiveName = ACCURACY,
    cost: Cost = MULTIPLY_ADDS,
) -> Front:
    """Measure subnetworks and references on all samples but training's, and keep the front.

    Ctrl-C or an error while confirmation or test samples are measured leaves these out, since the
    front is worth more than its test: the listener is then given the reason. Of the subnetworks,
    equal and dominated ones are dropped, by the objective on validation samples and the cost; of
    the rest, confirmation samples decide (`Front.unconfirmed`).
    """
    references = supernet.references()
    everything: list[Genotype | Exit] = [*references.values(), *subnetworks]
    parts: dict[Split, list[Metrics]] = {}
    for part, samples in task.measured.items():
        try:
            parts[part] = measure(
                supernet, task, samples, everything, form, device, recalibration=recalibration
            )
        except (KeyboardInterrupt, NetstitchError, RuntimeError) as error:
            if part == "validation":
                raise
            listener(Message(f"not measured on {part} samples: {one_line(error)}"))
            break
    # Of other choices of outputs the ensemble need not be one.
    ensemble = list(references).index(ENSEMBLE) if ENSEMBLE in references else None
    labels = [*references, *[""] * (len(everything) - len(references))]
    points = [
        FrontPoint(
            label=labels[index],
            **subnetwork_fields(supernet, one, cost),
            **measured_fields(parts, index, ensemble),
        )
        for index, one in enumerate(everything)
    ]
    count = len(references)
    return make_front(
        points[count:],
        points[:count],
        task.measure,
        objective,
        cost.name,
        cost.unit,
        {part: len(task.measured[part]) for part in parts},
    )


def subnetwork_fields(supernet: Supernet, one: Genotype | Exit, cost: Cost) -> SubnetworkFields:
    """Return a subnetwork's genotype, costs and output, as fields of a point.

    The genotype of an exit is that of its network alone, or, where the output switch does not offer
    that, of the smallest choice that the network is in.
    """
    if isinstance(one, Exit):
        choices = supernet.board.outputs
        smallest = min((choice for choice in choices if one.network in choice), key=len)
        genotype, output = supernet.genotype(choices.index(smallest)), supernet.names[one.network]
    else:
        genotype, output = one, supernet.outputs[int(one[-1])]
    return {
        "genotype": tuple(genotype.tolist()),
        "multiply_adds": supernet.macs(one),
        "parameters": supernet.parameters_of(one),
        "cost": float(cost.of(supernet, one)),
        "stitches": len(supernet.active_stitches(one)),
        "output": output,
        "exit": one if isinstance(one, Exit) else None,
    }


def measured_fields(
    parts: Mapping[Split, Sequence[Metrics]], index: int, ensemble: int | None
) -> MeasuredFields:
    """Return the measures of a network, as fields of a point."""
    own = {part: found[index] for part, found in parts.items()}
    differences = {
        part: None
        if ensemble is None or index == ensemble
        else paired_difference(own[part].correct, found[ensemble].correct, seed=0)
        for part, found in parts.items()
    }
    chosen_by = own["validation"].correct
    gaps = {
        part: independent_difference(chosen_by, one.correct, seed=0)
        for part, one in own.items()
        if part != "validation"
    }
    shares = {part: one.share for part, one in own.items()}
    nats = {part: one.cross_entropy for part, one in own.items()}
    calibrations = {part: one.calibration for part, one in own.items()}
    return {
        "validation": shares["validation"],
        "confirmation": shares.get("confirmation"),
        "test": shares.get("test"),
        "validation_difference": differences["validation"],
        "confirmation_difference": differences.get("confirmation"),
        "test_difference": differences.get("test"),
        "confirmation_gap": gaps.get("confirmation"),
        "gap": gaps.get("test"),
        "further": {
            f"{part} {name}": value
            for part, one in own.items()
            for name, value in one.further.items()
        },
        "cross_entropy": {part: one for part, one in nats.items() if one is not None},
        "calibration": {part: one for part, one in calibrations.items() if one is not None},
    }


def largest_difference(front: Front, found: Sequence[Solution]) -> float:
    """Return the largest difference between the measured objective and what the search took it for.

    The objective is the first one of the solutions: accuracy, or exp(-cross-entropy).
    """
    taken = {tuple(one.genotype.tolist()): one.objectives[0] for one in found if one.objectives}

    def score(point: FrontPoint) -> float:
        if front.objective == ACCURACY:
            return point.validation
        return exp(-point.cross_entropy["validation"])

    networks = [point for point in front.networks if point.exit is None]
    known = [point for point in networks if point.genotype in taken]
    return max((abs(score(point) - taken[point.genotype]) for point in known), default=0.0)
