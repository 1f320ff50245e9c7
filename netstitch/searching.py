"""`ns.search`: a supernet, a task and a search become a front."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netstitch.analysis import Front, FrontPoint, make_front, paired_difference
from netstitch.errors import SearchError
from netstitch.evaluation import Evaluator, Form, Store, measure_form
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
from netstitch.stitching.wiring import Genotype
from netstitch.supernet import Supernet
from netstitch.tasks import Samples, Task

ACCURACY, MULTIPLY_ADDS = "accuracy", "multiply_adds"
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
    settings: Mapping[str, Any] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Front:
    """The front of accuracy on the task's validation samples against multiply-adds.

    budget: evaluations, those counted that needed no computation since an equal subnetwork was
        known. seconds: wall-clock time; the search ends at whichever limit comes first.
    population: loops of the search. seed: runs of one seed are equal bit for bit, unless time ends
        them.
    threshold: accuracy to which steering rises until half the budget is spent (section 5 of the
        paper); None does not steer.

    Where the task has test samples, the front's networks are measured on them too, with the
    difference to the ensemble and its paired bootstrap interval. Ctrl-C ends the search with the
    front found so far.

    Raises SearchError for settings that cannot be used, before anything is evaluated.
    """
    return run(
        supernet,
        task,
        algorithm=algorithm,
        budget=Budget(budget, seconds),
        population=population,
        seed=seed,
        threshold=threshold,
        settings=settings,
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
    settings: Mapping[str, Any] | None = None,
    form: Form | None = None,
    cache_budget: int = CACHE_BUDGET,
    store: Store | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_measure: Callable[[str], None] | None = None,
) -> Searched:
    """As `search`, with every setting, and with how the search went.

    form: numerical form of evaluations; measured on this machine by default.
    store: where evaluations are written as they complete.
    on_measure: called with a line of text before the front is measured on test samples.
    """
    if form is None:
        ensemble = supernet.subnetwork(supernet.genotype(len(supernet.outputs) - 1), share=True)
        form = measure_form(ensemble, task.validation.inputs)
    evaluator = Evaluator(supernet, task, task.validation, form, budget=cache_budget)

    def evaluate(genotype: Genotype) -> tuple[float, float]:
        measured = evaluator.evaluate(genotype)
        return measured.accuracy, float(measured.multiply_adds)

    def keep(evaluation: Evaluation) -> None:
        if store is not None:
            store.add(evaluation)

    problem = Problem(
        supernet.cardinalities,
        (Objective(ACCURACY, maximise=True), Objective(MULTIPLY_ADDS)),
        signature=supernet.wiring.digest,
        active=supernet.wiring.active,
    )
    references = supernet.references()
    result = run_search(
        problem,
        SerialExecutor(evaluate),
        budget=budget,
        algorithm=algorithm,
        population=population,
        seed=seed,
        threshold=None if threshold is None else Threshold(ACCURACY, threshold),
        initial=list(references.values()),
        initialisation=Initialisation(uniform=(-1,)),
        settings=settings,
        on_evaluation=keep,
        on_progress=on_progress,
    )
    genotypes = [solution.genotype for solution in result.archive]
    if not genotypes:
        raise SearchError("the search found nothing: every evaluation failed")
    if on_measure is not None:
        on_measure(f"measuring {len(genotypes)} networks of the front")
    front = measure_front(supernet, task, genotypes, form)
    return Searched(front, result, form)


def measure_front(
    supernet: Supernet, task: Task, genotypes: Sequence[Genotype], form: Form
) -> Front:
    """Measure networks and references on validation and test samples, and keep the front.

    genotypes: what a search found; equal and dominated ones are dropped, by validation accuracy.
    """
    references = supernet.references()
    everything = [*references.values(), *genotypes]
    validation = _correct(supernet, task, task.validation, everything, form)
    test = None if task.test is None else _correct(supernet, task, task.test, everything, form)
    ensemble = len(references) - 1
    labels = [*references, *[""] * len(genotypes)]
    points = [
        FrontPoint(
            label=labels[index],
            genotype=tuple(int(value) for value in genotype),
            multiply_adds=supernet.macs(genotype),
            parameters=supernet.parameters_of(genotype),
            stitches=len(supernet.active_stitches(genotype)),
            validation=float(validation[index].mean()),
            test=None if test is None else float(test[index].mean()),
            output=supernet.outputs[int(genotype[-1])],
            validation_difference=None
            if index == ensemble
            else paired_difference(validation[index], validation[ensemble], seed=0),
            test_difference=None
            if test is None or index == ensemble
            else paired_difference(test[index], test[ensemble], seed=0),
        )
        for index, genotype in enumerate(everything)
    ]
    return make_front(points[len(references) :], points[: len(references)])


def _correct(
    supernet: Supernet, task: Task, samples: Samples, genotypes: Sequence[Genotype], form: Form
) -> list[np.ndarray[Any, np.dtype[np.bool_]]]:
    return Evaluator(supernet, task, samples, form).correct_together(genotypes)
