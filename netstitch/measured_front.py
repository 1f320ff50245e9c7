"""The networks that a search found, measured on validation and test samples."""

from collections.abc import Callable, Sequence

import torch

from netstitch.analysis import Front, FrontPoint, Interval, make_front, paired_difference
from netstitch.analysis.bootstrap import independent_difference
from netstitch.analysis.front import ACCURACY, ENSEMBLE
from netstitch.errors import NetstitchError
from netstitch.evaluation import Form
from netstitch.fitting import Batch
from netstitch.folders import one_line
from netstitch.optimization import Solution
from netstitch.outcomes import Outcomes, measure
from netstitch.stitching.wiring import Genotype
from netstitch.supernet import Supernet
from netstitch.tasks import Samples, Task


def measure_front(
    supernet: Supernet,
    task: Task,
    genotypes: Sequence[Genotype],
    form: Form,
    device: torch.device | str = "cpu",
    told: Callable[[str], None] | None = None,
    *,
    recalibration: Sequence[Batch] | None = None,
) -> Front:
    """Measure networks and references on validation and test samples, and keep the front.

    genotypes: what a search found; equal and dominated ones are dropped, by validation accuracy.
    recalibration: as in `search`.

    Ctrl-C or an error while test samples are measured leaves these out, since the front is worth
    more than its test: `told` is then called with the reason.
    """
    references = supernet.references()
    everything = [*references.values(), *genotypes]

    def measured(samples: Samples) -> list[Outcomes]:
        return measure(
            supernet, task, samples, everything, form, device, recalibration=recalibration
        )

    validation = measured(task.validation)
    try:
        test = None if task.test is None else measured(task.test)
    except (KeyboardInterrupt, NetstitchError, RuntimeError) as error:
        test = None
        if told is not None:
            told(f"not measured on test samples: {one_line(error)}")
    # Of other choices of outputs the ensemble need not be one.
    ensemble = list(references).index(ENSEMBLE) if ENSEMBLE in references else None
    labels = [*references, *[""] * len(genotypes)]
    points = [
        FrontPoint(
            label=labels[index],
            genotype=tuple(int(value) for value in genotype),
            multiply_adds=supernet.macs(genotype),
            parameters=supernet.parameters_of(genotype),
            stitches=len(supernet.active_stitches(genotype)),
            validation=validation[index].share,
            test=None if test is None else test[index].share,
            output=supernet.outputs[int(genotype[-1])],
            validation_difference=_difference(validation, index, ensemble),
            test_difference=None if test is None else _difference(test, index, ensemble),
            gap=None if test is None else _gap(validation[index], test[index]),
            calibration={
                part: calibration
                for part, found in (("validation", validation), ("test", test))
                if found is not None and (calibration := found[index].calibration) is not None
            },
            further={
                f"{part} {name}": value
                for part, found in (("validation", validation), ("test", test))
                if found is not None
                for name, value in found[index].further.items()
            },
        )
        for index, genotype in enumerate(everything)
    ]
    title: str = getattr(task, "measure", ACCURACY)
    return make_front(points[len(references) :], points[: len(references)], title)


def largest_difference(front: Front, found: Sequence[Solution]) -> float:
    """The most by which an accuracy of the front differs from what the search took it for.

    found: of the search, accuracy first.
    """
    taken = {
        tuple(one.genotype.tolist()): one.objectives[0]
        for one in found
        if one.objectives is not None
    }
    return max(
        (
            abs(point.validation - taken[point.genotype])
            for point in (*front.points, *front.references)
            if point.genotype in taken
        ),
        default=0.0,
    )


def _difference(measured: Sequence[Outcomes], index: int, ensemble: int | None) -> Interval | None:
    if ensemble is None or index == ensemble:
        return None
    return paired_difference(measured[index].correct, measured[ensemble].correct, seed=0)


def _gap(validation: Outcomes, test: Outcomes) -> Interval:
    return independent_difference(validation.correct, test.correct, seed=0)
