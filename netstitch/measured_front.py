"""The networks that a search found, measured on validation and test samples."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray

from netstitch.analysis import Front, FrontPoint, Interval, make_front, paired_difference
from netstitch.analysis.front import ACCURACY, ENSEMBLE
from netstitch.errors import NetstitchError
from netstitch.evaluation import Evaluator, Form
from netstitch.evaluation.looking import Measure
from netstitch.fitting import Batch
from netstitch.folders import one_line
from netstitch.optimization import Solution
from netstitch.stitching.wiring import Genotype
from netstitch.supernet import Supernet
from netstitch.tasks import Samples, Task


@dataclass(frozen=True)
class _Measured:
    """Of some samples: whether a network is right on each, or the share of each that is, (n,).

    further: other measures of all of them, by name.
    """

    correct: NDArray[Any]
    further: Mapping[str, float]

    @property
    def share(self) -> float:
        """The accuracy that the task's own division gives, to the last bit."""
        share: float = self.correct.sum().item() / len(self.correct)
        return share


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

    def measured(samples: Samples) -> list[_Measured]:
        evaluator = Evaluator(
            supernet, task, samples, form, device=device, recalibration=recalibration
        )
        return _measure(evaluator, task, everything)

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
            further={
                f"{part} {name}": value
                for part, found in (("validation", validation), ("test", test))
                if found is not None
                for name, value in found[index].further.items()
            },
        )
        for index, genotype in enumerate(everything)
    ]
    measure: str = getattr(task, "measure", ACCURACY)
    return make_front(points[len(references) :], points[: len(references)], measure)


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


def _measure(evaluator: Evaluator, task: Task, genotypes: Sequence[Genotype]) -> list[_Measured]:
    tally: Measure | None = getattr(task, "tally", None)
    if tally is None:
        return [_Measured(correct, {}) for correct in evaluator.correct_together(genotypes)]
    count, further = tally, task.further  # type: ignore[attr-defined]
    found = evaluator.measured_together(
        genotypes, task.correct, lambda outputs, labels: count(outputs, labels)[None]
    )
    return [_Measured(correct.numpy(), further(tallies.sum(0))) for correct, tallies in found]


def _difference(measured: Sequence[_Measured], index: int, ensemble: int | None) -> Interval | None:
    if ensemble is None or index == ensemble:
        return None
    return paired_difference(measured[index].correct, measured[ensemble].correct, seed=0)
