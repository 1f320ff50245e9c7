"""`ns.search`: searches a supernet for a task, and measures the front."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from inspect import signature
from typing import Unpack

import torch

from netstitch.analysis import Front
from netstitch.analysis.front_point import ACCURACY
from netstitch.costs import find_cost
from netstitch.errors import DataError, SearchError
from netstitch.evaluation import (
    Evaluator,
    ExecutionConfig,
    NumericsConfig,
    evaluating,
    measure_numerics,
)
from netstitch.evaluation.race import Race
from netstitch.evaluation.sample_order import most_informative_order, nested_order
from netstitch.events import Event, Listener, StageBegan, ignore
from netstitch.files.settings import check_names, with_keywords
from netstitch.fitting import Batch
from netstitch.optimization import Budget, Progress, SearchResult
from netstitch.optimization.algorithms.registry import learns_from_all
from netstitch.optimization.search_settings import EVALUATIONS
from netstitch.searching.measured_front import largest_difference, measure_front
from netstitch.searching.reference_doubts import doubts
from netstitch.searching.search_progress import SearchAdvanced
from netstitch.searching.search_recorder import SearchRecorder
from netstitch.searching.supernet_search_settings import (
    SearchKeywords,
    SupernetSearchSettings,
    check_kinds,
    check_search,
    read_recalibration,
    scored_by,
)
from netstitch.searching.sweep import SupernetSearch, Swept, search_sizes
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task


@dataclass(frozen=True)
class Searched:
    """A front, and how the search for it went.

    Attributes:
        front: The networks found, measured anew.
        result: The search's result; of a sweep, that of the best population size.
        form: The numerical form of evaluations.
        sweep: The result of each population size.
        difference: The largest difference between an accuracy as measured and as the search took it
            for; evaluations have a form that is equal up to rounding.
        workers: The number of evaluations at the same time.
    """

    front: Front
    result: SearchResult
    form: NumericsConfig
    sweep: tuple[Swept, ...]
    difference: float
    workers: int


@with_keywords(SupernetSearchSettings, SearchKeywords)
def search(
    supernet: Supernet,
    task: Task,
    *,
    budget: int | None = EVALUATIONS,
    seed: int = 1,
    form: NumericsConfig | None = None,
    device: str | torch.device = "cpu",
    spread: ExecutionConfig | None = None,
    recalibration: Iterable[Batch] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    **options: Unpack[SearchKeywords],
) -> Front:
    """Return the front of accuracy on the task's validation samples against a cost.

    Where the task has test samples, the front's networks are measured on them too, with the
    difference to the ensemble and its paired bootstrap interval. Where it has confirmation samples,
    these decide which networks stay on it (`Front.unconfirmed`). Ctrl-C ends the search with the
    front found so far; a second one leaves out the test samples. References that look broken are
    warned of (`warnings`) before the search begins.

    Args:
        supernet: A supernet with fitted stitches.
        task: What its networks do, with the samples that they are measured on.
        budget: Evaluations, those counted that needed no computation since an equal subnetwork was
            known; None where `seconds` alone end the search.
        seed: Runs of one seed and one form are equal bit for bit, unless time ends them.
        form: Memory layout, batch size, workers, fusing and precision of evaluations; measured on
            this machine by default, and fused. The front is measured with the networks' own
            operations.
        device: Where subnetworks run, a name that PyTorch knows.
        spread: Processes, threads, devices and memory of evaluations, in the place of `device`. By
            default this process alone, since the processes of a script need a
            `if __name__ == "__main__":`.
        recalibration: Inputs, without labels, that the batch norms behind a subnetwork's stitches
            take their statistics from before it is measured; each evaluation then costs a pass over
            them more and shares nothing. Export with `recalibrate` of the same inputs gives what
            was measured. By default norms keep the statistics of the basis networks.
        on_progress: Called after every distinct evaluation.
        **options: Fields of `netstitch.searching.supernet_search_settings.SupernetSearchSettings`:
            objective, cost (a name or a `netstitch.costs.Cost`), algorithm (a name, or what makes
            one of your own, as `netstitch.optimization.run_search` takes), seconds, population,
            threshold, references, initial_stitches, first_networks, racing, settings and patience.

    Raises:
        SearchError: A setting cannot be used, which is told before anything is evaluated, or all
            evaluations fail.
        StitchingError: Stitches were never fitted.
    """
    check_names("search", options, signature(search).parameters, SearchError)
    check_kinds(form=form, spread=spread)
    Budget(budget, options.get("seconds"))  # one that has no end is no default
    settings = SupernetSearchSettings(evaluations=budget, **options)
    if spread is None:
        name = str(device) if isinstance(device, torch.device) else device
        spread = ExecutionConfig(executor="serial", device=name)

    def listener(event: Event) -> None:
        if isinstance(event, SearchAdvanced) and on_progress is not None:
            on_progress(event.progress)

    task = check_search(supernet, task, settings, spread)
    for line in doubts(supernet, task):
        warnings.warn(line, stacklevel=2)
    return run(
        supernet,
        task,
        settings,
        seed=seed,
        form=form,
        spread=spread,
        recalibration=recalibration,
        listener=listener,
    ).front


def run(
    supernet: Supernet,
    task: Task,
    settings: SupernetSearchSettings,
    *,
    seed: int = 1,
    floor: float | None = None,
    form: NumericsConfig | None = None,
    spread: ExecutionConfig | None = None,
    recalibration: Iterable[Batch] | None = None,
    record: SearchRecorder | None = None,
    listener: Listener = ignore,
) -> Searched:
    """Search as `search` does, with all its settings in one, and return how it went too.

    Hypervolumes count from the accuracy `floor`, that of the worst reference rounded down to a
    tenth where there is none; for another objective from 0. Results are written into the record as
    they come, and the search goes on from there. The listener is told of each distinct evaluation,
    how far the search is, and which stage began: a population size of a sweep, or measuring the
    front.
    """
    spread = spread or ExecutionConfig(executor="serial")
    task = check_search(supernet, task, settings, spread)
    scored = scored_by(settings.objective, supernet, task)
    statistics = read_recalibration(supernet, recalibration)
    form = form or measured_form(supernet, task, spread)
    cost = find_cost(settings.cost)
    # What this process measures itself has all cores, and does not depend on how many. It is
    # measured with the networks' own operations, as those that are exported.
    alone = replace(form.exact, workers=spread.alone)
    whole = (
        statistics is not None
        or scored.accuracy_of is None
        or learns_from_all(settings.algorithm, settings.settings)
    )
    early = spread.early == "certain" and not whole
    samples, race = scored.validation, None
    if early:
        sizes = settings.racing if settings.objective == ACCURACY else ()
        ends = parts_of(sizes, form.batch, len(samples))
        samples, race = _in_order(supernet, scored, alone, spread.here, ends, seed)

    def make(device: torch.device) -> Evaluator:
        return Evaluator(
            supernet,
            scored,
            samples,
            form,
            device=device,
            recalibration=statistics,
            cost=cost,
            race=race,
        )

    least = floor if settings.objective == ACCURACY else 0.0  # it is of accuracies
    problem = SupernetSearch(supernet, settings, seed, early, least, race is not None)
    with evaluating(make, spread) as executor:
        ordered = spread.order == "asked"
        workers = executor.workers
        result, swept = search_sizes(problem, executor, ordered, record=record, listener=listener)
    genotypes = [solution.genotype for solution in result.archive]
    if not genotypes:
        if result.stopped == "interrupted":
            raise KeyboardInterrupt
        raise SearchError(
            f"no evaluation was completed within {settings.seconds} seconds: give the search more"
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
        objective=settings.objective,
        cost=cost,
    )
    difference = largest_difference(front, result.archive)
    return Searched(front, result, form, swept, difference, workers)


def measured_form(supernet: Supernet, task: Task, spread: ExecutionConfig) -> NumericsConfig:
    """Return the fastest form of evaluations here, as far as `spread` leaves it open."""
    return measure_numerics(
        supernet,
        task.validation.inputs,
        batches=(spread.batch,) if spread.batch else None,
        workers=spread.side_by_side,
        device=spread.here,
        fused=spread.fused,
        precision=spread.precision,
    )


def _in_order(
    supernet: Supernet,
    task: Task,
    form: NumericsConfig,
    device: torch.device,
    ends: tuple[int, ...],
    seed: int,
) -> tuple[Samples, Race | None]:
    """Return the validation samples as evaluations that end early go through them, and their race.

    They are the most informative first, by how the reference networks do on them, in each of the
    race's parts; where none ends before the samples do, there is no race.
    """
    samples = task.validation
    evaluator = Evaluator(supernet, task, samples, form, device=device)
    references = list(supernet.references().values())
    with suppress(DataError):  # the search says which network it is that fails
        found = evaluator.measured_together(references, task.margin, task.correct)
        margins, correct = zip(*found, strict=True)
        if not ends:
            return samples.taken(most_informative_order(margins)), None
        order = nested_order(samples.labels, margins, ends, seed)
        return samples.taken(order), Race(ends, torch.stack(correct)[:, order])
    return samples, None


def parts_of(sizes: Sequence[int], batch: int, samples: int) -> tuple[int, ...]:
    """Return the sizes of parts as they are: whole batches, less than all samples."""
    ends = sorted({-(-size // batch) * batch for size in sizes})
    return tuple(end for end in ends if end < samples)
