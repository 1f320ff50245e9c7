"""`ns.search`: a supernet, a task and a search become a front."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netstitch.analysis import Front, FrontPoint, Interval, make_front, paired_difference
from netstitch.analysis.front import ENSEMBLE
from netstitch.errors import NetstitchError, SearchError
from netstitch.evaluation import Evaluator, Form, Store, measure_form, usable_device
from netstitch.fitting import Batch
from netstitch.folders import one_line
from netstitch.optimization import (
    Budget,
    Evaluation,
    Initialisation,
    Objective,
    Problem,
    Progress,
    SearchResult,
    SerialExecutor,
    Threshold,
    run_search,
)
from netstitch.optimization.initialisation import EXPECTED_NONZEROS, nonzero_probability
from netstitch.stitching.wiring import Genotype
from netstitch.supernet import Supernet
from netstitch.tasks import Samples, Task

Outcomes = NDArray[np.bool_]
"""(n,) whether a network is right on each sample."""

ACCURACY, MULTIPLY_ADDS = "accuracy", "multiply_adds"
INITIAL_STITCHES = EXPECTED_NONZEROS
"""Stitches expected in a first genotype (section 5 of the paper, p = 6.18 / l)."""
CACHE_BUDGET = 2_000_000_000
"""Bytes of activations kept between evaluations, unless another budget is given."""


@dataclass(frozen=True)
class Searched:
    """A front and how it came about."""

    front: Front
    result: SearchResult
    form: Form


def search(
    supernet: Supernet,
    task: Task,
    *,
    algorithm: str = "ga",
    budget: int | None = 20_000,
    seconds: float | None = None,
    population: int = 64,
    seed: int = 1,
    threshold: float | None = None,
    initial_stitches: float = INITIAL_STITCHES,
    settings: Mapping[str, Any] | None = None,
    form: Form | None = None,
    device: str = "cpu",
    recalibration: Iterable[Batch] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Front:
    """The front of accuracy on the task's validation samples against multiply-adds.

    budget: evaluations, those counted that needed no computation since an equal subnetwork was
        known. seconds: wall-clock time; the search ends at whichever limit comes first.
    population: loops of the search. seed: runs of one seed and one form are equal bit for bit,
        unless time ends them.
    threshold: accuracy to which steering rises until half the budget is spent (section 5 of the
        paper); None does not steer.
    initial_stitches: how many switches of a first genotype are expected to read a stitch; by
        default as in the paper. Each switch has at least one stitch in the first population.
    settings: of the algorithm, by name.
    form: memory layout, batch size and workers of evaluations; measured on this machine by default.
    device: where subnetworks run, a name that PyTorch knows.
    recalibration: inputs, without labels, that the batch norms behind a subnetwork's stitches take
        their statistics from before it is measured; each evaluation then costs a pass over them
        more and shares nothing. Export with `recalibrate` of the same inputs gives what was
        measured. By default norms keep the statistics of the basis networks.

    Where the task has test samples, the front's networks are measured on them too, with the
    difference to the ensemble and its paired bootstrap interval. Ctrl-C ends the search with the
    front found so far; a second one leaves out the test samples.

    Raises SearchError for settings that cannot be used, before anything is evaluated, and when all
    evaluations fail.
    """
    return run(
        supernet,
        task,
        algorithm=algorithm,
        budget=Budget(budget, seconds),
        population=population,
        seed=seed,
        threshold=threshold,
        initial_stitches=initial_stitches,
        settings=settings,
        form=form,
        device=device,
        recalibration=recalibration,
        on_progress=on_progress,
    ).front


def run(
    supernet: Supernet,
    task: Task,
    *,
    budget: Budget,
    algorithm: str = "ga",
    population: int = 64,
    seed: int = 1,
    threshold: float | None = None,
    initial_stitches: float = INITIAL_STITCHES,
    settings: Mapping[str, Any] | None = None,
    form: Form | None = None,
    workers: int | None = None,
    device: str = "cpu",
    recalibration: Iterable[Batch] | None = None,
    cache_budget: int = CACHE_BUDGET,
    store: Store | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_measure: Callable[[str], None] | None = None,
) -> Searched:
    """As `search`, with every setting, and with how the search went.

    form: numerical form of evaluations; by default measured on this machine, with as many workers
        as `workers` says or one for each core.
    store: where evaluations are written as they complete.
    on_measure: called with a line of text before the front is measured on test samples.
    """
    if supernet.averaging.rule != task.ensemble:
        raise SearchError(
            f"the supernet's ensemble averages {supernet.averaging.rule}, the task's "
            f"{task.ensemble}; build the supernet with averaging=Averaging({task.ensemble!r})"
        )
    if not initial_stitches > 0:
        raise SearchError(
            f"initial_stitches is {initial_stitches}; expected a number over 0, such as 6.18"
        )
    place = usable_device(device)
    if form is None:
        form = measure_form(supernet, task.validation.inputs, workers=workers, device=place)
    statistics = None if recalibration is None else list(recalibration)
    evaluator = Evaluator(
        supernet,
        task,
        task.validation,
        form,
        budget=cache_budget,
        device=place,
        recalibration=statistics,
    )

    references = supernet.references()

    def keep(evaluation: Evaluation) -> None:
        if store is not None:
            store.add(evaluation)
        if evaluation.failure is not None:
            _check_no_reference(references, evaluation)

    problem = Problem(
        supernet.cardinalities,
        (Objective(ACCURACY, maximise=True), Objective(MULTIPLY_ADDS)),
        signature=supernet.wiring.digest,
        active=supernet.wiring.active,
    )
    result = run_search(
        problem,
        SerialExecutor(_objectives(evaluator)),
        budget=budget,
        algorithm=algorithm,
        population=population,
        seed=seed,
        threshold=None if threshold is None else Threshold(ACCURACY, threshold),
        initial=list(references.values()),
        initialisation=Initialisation(
            probability=nonzero_probability(len(supernet.cardinalities), initial_stitches),
            uniform=(-1,),
        ),
        settings=settings,
        on_evaluation=keep,
        on_progress=on_progress,
    )
    genotypes = [solution.genotype for solution in result.archive]
    if not genotypes:
        raise KeyboardInterrupt  # nothing else ends a search before its first result
    del evaluator  # and the activations that it keeps
    if on_measure is not None:
        on_measure(f"measure {len(genotypes)} networks of the front")
    front = measure_front(
        supernet, task, genotypes, form, place, on_measure, recalibration=statistics
    )
    return Searched(front, result, form)


def _objectives(evaluator: Evaluator) -> Callable[[Genotype], tuple[float, float]]:
    def evaluate(genotype: Genotype) -> tuple[float, float]:
        measured = evaluator.evaluate(genotype)
        return measured.accuracy, float(measured.multiply_adds)

    return evaluate


def _check_no_reference(references: Mapping[str, Genotype], evaluation: Evaluation) -> None:
    """Stop where a basis network or the ensemble fails: nothing could be compared with it."""
    for name, genotype in references.items():
        if np.array_equal(genotype, evaluation.genotype):
            raise SearchError(
                f"{name} cannot be evaluated on the validation samples: {evaluation.failure}"
            )


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

    def correct(samples: Samples) -> list[Outcomes]:
        evaluator = Evaluator(
            supernet, task, samples, form, device=device, recalibration=recalibration
        )
        return evaluator.correct_together(everything)

    validation = correct(task.validation)
    try:
        test = None if task.test is None else correct(task.test)
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
            validation=_share(validation[index]),
            test=None if test is None else _share(test[index]),
            output=supernet.outputs[int(genotype[-1])],
            validation_difference=_difference(validation, index, ensemble),
            test_difference=None if test is None else _difference(test, index, ensemble),
        )
        for index, genotype in enumerate(everything)
    ]
    return make_front(points[len(references) :], points[: len(references)])


def _share(correct: Outcomes) -> float:
    """The accuracy that the task's own division gives, to the last bit."""
    return int(correct.sum()) / len(correct)


def _difference(outcomes: Sequence[Outcomes], index: int, ensemble: int | None) -> Interval | None:
    if ensemble is None or index == ensemble:
        return None
    return paired_difference(outcomes[index], outcomes[ensemble], seed=0)
