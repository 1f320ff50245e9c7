"""`ns.search`: a supernet, a task and a search become a front."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from netstitch.analysis import Front, ObjectiveName
from netstitch.analysis.front import ACCURACY
from netstitch.errors import DataError, SearchError
from netstitch.evaluation import (
    Evaluator,
    ExecutionConfig,
    NumericsConfig,
    evaluating,
    measure_numerics,
)
from netstitch.evaluation.early_stopping import EarlyStopSettings, most_informative_order
from netstitch.events import Event, Listener, StageBegan, ignore
from netstitch.fitting import Batch
from netstitch.networks.probabilities import WAY_OUT
from netstitch.optimization import (
    Budget,
    Evaluation,
    Progress,
    SearchResult,
)
from netstitch.optimization.algorithms import (
    Build,
    check_algorithm,
    check_settings,
    learns_from_all,
)
from netstitch.optimization.search_settings import check_population
from netstitch.searching.measured_front import largest_difference, measure_front
from netstitch.searching.reference_doubts import doubts
from netstitch.searching.search_arguments import check_arguments, check_searched, read_recalibration
from netstitch.searching.search_progress import SearchAdvanced
from netstitch.searching.search_recorder import SearchRecorder
from netstitch.searching.search_sizes import search_sizes
from netstitch.searching.supernet_problem import INITIAL_STITCHES, SupernetSearch
from netstitch.searching.sweep import Swept, sizes_within
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import CrossEntropyTask, Samples, Task


@dataclass(frozen=True)
class Searched:
    """A front and how it came about.

    sweep: what each population size came to; of several, the result is that of the best.
    difference: the most by which an accuracy of the front differs from what the search took it
        for, since evaluations had a form that is equal up to rounding.
    """

    front: Front
    result: SearchResult
    form: NumericsConfig
    sweep: tuple[Swept, ...]
    difference: float


def scored_by(objective: ObjectiveName, supernet: Supernet, task: Task) -> Task:
    """Return the task as a search scores it: by accuracy or by cross-entropy.

    Raises SearchError for an objective that is not known, and for cross-entropy where the networks
    put out probabilities.
    """
    if objective not in get_args(ObjectiveName):
        raise SearchError(
            f"objective {objective!r} is not known; give 'accuracy' or 'cross-entropy'"
        )
    if objective == ACCURACY:
        return task
    if supernet.puts_out_probabilities(task.output):
        raise SearchError(
            f"the objective {objective!r} is of logits, and the networks end in probabilities: for "
            f"each, {WAY_OUT}"
        )
    return CrossEntropyTask(task)


def search(
    supernet: Supernet,
    task: Task,
    *,
    objective: ObjectiveName = "accuracy",
    algorithm: str | Build = "ga",
    budget: int | None = 20_000,
    seconds: float | None = None,
    population: int | Literal["sweep"] = 64,
    seed: int = 1,
    threshold: float | None = None,
    initial_stitches: float = INITIAL_STITCHES,
    settings: Mapping[str, Any] | None = None,
    patience: int | None = None,
    form: NumericsConfig | None = None,
    device: str = "cpu",
    spread: ExecutionConfig | None = None,
    recalibration: Iterable[Batch] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Front:
    """The front of accuracy on the task's validation samples against multiply-adds.

    objective: what is held against multiply-adds; "cross-entropy" for networks that say how sure
        they are as well as they can. A threshold, and what `on_progress` is given, are then
        exp(-cross-entropy), the geometric mean of the probabilities of what is right.
    algorithm: a name, or what makes one of your own, as `netstitch.optimization.run_search` takes.
    budget: evaluations, those counted that needed no computation since an equal subnetwork was
        known. seconds: wall-clock time; the search ends at whichever limit comes first.
    population: loops of the search; "sweep" for a run of each of the paper's sizes, 128 to 2,048,
        with the whole budget, of which the one with the most hypervolume counts. seed: runs of one
        seed and one form are equal bit for bit, unless time ends them.
    threshold: accuracy to which steering rises until half the budget is spent (section 5 of the
        paper); None does not steer.
    initial_stitches: how many switches of a first genotype are expected to read a stitch; by
        default as in the paper. Each switch has at least one stitch in the first population.
    settings: of the algorithm, by name.
    patience: proposals in a row without a new subnetwork after which the search ends; by default
        10,000 or 100 for each of the population, whichever is more.
    form: memory layout, batch size, workers, fusing and precision of evaluations; measured on this
        machine by default, and fused. The front is measured with the networks' own operations.
    device: where subnetworks run, a name that PyTorch knows. spread: processes, threads, devices
        and memory of evaluations; by default this process, and then `device` counts.
    recalibration: inputs, without labels, that the batch norms behind a subnetwork's stitches take
        their statistics from before it is measured; each evaluation then costs a pass over them
        more and shares nothing. Export with `recalibrate` of the same inputs gives what was
        measured. By default norms keep the statistics of the basis networks.

    Where the task has test samples, the front's networks are measured on them too, with the
    difference to the ensemble and its paired bootstrap interval. Ctrl-C ends the search with the
    front found so far; a second one leaves out the test samples. References that look broken are
    warned of (`warnings`) before it begins.

    Raises SearchError for settings that cannot be used, before anything is evaluated, and when all
    evaluations fail; StitchingError where stitches were never fitted.
    """
    check_arguments(device=device)
    return run(
        supernet,
        task,
        objective=objective,
        algorithm=algorithm,
        budget=Budget(budget, seconds),
        population=population,
        seed=seed,
        threshold=threshold,
        initial_stitches=initial_stitches,
        settings=settings,
        patience=patience,
        form=form,
        spread=spread or ExecutionConfig(devices=(device,)),
        recalibration=recalibration,
        on_doubt=lambda line: warnings.warn(line, stacklevel=4),
        listener=ignore if on_progress is None else _calling(on_progress),
    ).front


def _calling(on_progress: Callable[[Progress], None]) -> Listener:
    def listener(event: Event) -> None:
        if isinstance(event, SearchAdvanced):
            on_progress(event.progress)

    return listener


def run(
    supernet: Supernet,
    task: Task,
    *,
    budget: Budget,
    objective: ObjectiveName = "accuracy",
    algorithm: str | Build = "ga",
    population: int | Literal["sweep"] = 64,
    seed: int = 1,
    threshold: float | None = None,
    initial_stitches: float = INITIAL_STITCHES,
    settings: Mapping[str, Any] | None = None,
    patience: int | None = None,
    floor: float = 0.0,
    form: NumericsConfig | None = None,
    spread: ExecutionConfig | None = None,
    recalibration: Iterable[Batch] | None = None,
    record: SearchRecorder | None = None,
    on_doubt: Callable[[str], None] | None = None,
    on_evaluation: Callable[[Evaluation], None] | None = None,
    listener: Listener = ignore,
) -> Searched:
    """As `search`, with every setting, and with how the search went.

    floor: the accuracy from which the hypervolumes of a sweep count; of a search for another
        objective these count from 0.
    form: numerical form of evaluations; by default measured on this machine, with as many batches
        side by side as `spread` says.
    spread: by default this process, with a batch on each core.
    record: where results are written as they come, and the search goes on from.
    on_doubt: called with each line of `doubts` about the references, before anything else runs.
    on_evaluation: called with each distinct evaluation of a search, after it is recorded.
    listener: told how far the search is, and before each search of a sweep, and before the front is
        measured, that a stage began.
    """
    task = check_searched(supernet, task)
    check_arguments(algorithm=algorithm, settings=settings, patience=patience, form=form)
    check_arguments(threshold=threshold, initial_stitches=initial_stitches, spread=spread)
    statistics = read_recalibration(supernet, recalibration)
    if supernet.averaging.rule != task.ensemble:
        raise SearchError(
            f"the supernet's ensemble averages {supernet.averaging.rule}, the task's "
            f"{task.ensemble}; build the supernet with averaging=Averaging({task.ensemble!r})"
        )
    supernet.check_fitted()
    scored = scored_by(objective, supernet, task)
    sizes = sizes_within(budget) if population == "sweep" else (population,)
    for size in sizes:
        check_population(size, budget)
    check_algorithm(algorithm)
    check_settings(algorithm, settings or {})
    spread = spread or ExecutionConfig()
    spread.check()
    if on_doubt is not None:
        for line in doubts(supernet, task):
            on_doubt(line)
    if form is None:
        form = measured_form(supernet, task, spread)
    numerical: NumericsConfig = form
    # What this process measures itself has all cores, and does not depend on how many. It is
    # measured with the networks' own operations, as those that are exported.
    alone = replace(form.exact, workers=spread.alone)
    stopping = spread.stopping
    if (
        statistics is not None
        or scored.accuracy_of is None
        or learns_from_all(algorithm, settings or {})
    ):
        stopping = None
    search = SupernetSearch(
        supernet,
        algorithm,
        budget,
        seed,
        threshold,
        initial_stitches,
        settings or {},
        patience,
        bounded=stopping is not None,
        floor=floor if objective == ACCURACY else 0.0,  # an accuracy, no cross-entropy
        objective=objective,
    )

    hardest: Tensor | None = None
    if stopping is not None and not stopping.error:
        hardest = _hardest_first(supernet, scored, alone, spread.here)

    def make(device: torch.device) -> Evaluator:
        return Evaluator(
            supernet,
            scored,
            _in_order(task.validation, stopping, hardest),
            numerical,
            device=device,
            recalibration=statistics,
            stopping=stopping,
        )

    with evaluating(make, spread) as executor:
        result, swept = search_sizes(
            search,
            sizes,
            executor,
            spread.ordered,
            record=record,
            on_evaluation=on_evaluation,
            listener=listener,
        )
    genotypes = [solution.genotype for solution in result.archive]
    if not genotypes and result.stopped == "interrupted":
        raise KeyboardInterrupt
    if not genotypes:
        raise SearchError(
            f"no evaluation was completed within {budget.seconds} seconds: give the search more"
        )
    listener(StageBegan(f"measure {len(genotypes)} networks of the front"))
    front = measure_front(
        supernet,
        task,
        genotypes,
        alone,
        spread.here,
        listener,
        recalibration=statistics,
        objective=objective,
    )
    return Searched(front, result, form, swept, largest_difference(front, result.archive))


def measured_form(supernet: Supernet, task: Task, spread: ExecutionConfig) -> NumericsConfig:
    """The fastest form of evaluations here, as far as `spread` leaves it open."""
    return measure_numerics(
        supernet,
        task.validation.inputs,
        batches=(spread.batch,) if spread.batch else None,
        workers=spread.side_by_side,
        device=spread.here,
        fused=spread.fused,
        precision=spread.precision,
    )


def _hardest_first(
    supernet: Supernet, task: Task, form: NumericsConfig, device: torch.device
) -> Tensor | None:
    """An order of the validation samples, by how the reference networks do on them."""
    samples = task.validation
    evaluator = Evaluator(supernet, task, samples, form, device=device)
    references = list(supernet.references().values())
    with suppress(DataError):  # the search says which network it is that fails
        return most_informative_order(
            [sure for (sure,) in evaluator.measured_together(references, task.margin)]
        )
    return None


def _in_order(
    samples: Samples, stopping: EarlyStopSettings | None, hardest: Tensor | None
) -> Samples:
    """The samples as evaluations that end early go through them."""
    if stopping is not None and stopping.error:
        return samples.shuffled(0)
    return samples if hardest is None else samples.taken(hardest)
