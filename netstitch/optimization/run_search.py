"""One call that puts a search together and runs it."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from netstitch.errors import SearchError
from netstitch.optimization.algorithms import Build, Setup, check_settings, entry, name_of
from netstitch.optimization.annealing import Threshold, annealed_constraint
from netstitch.optimization.archive import Archive
from netstitch.optimization.budget import Budget
from netstitch.optimization.engine import Engine
from netstitch.optimization.executors.executor import Executor
from netstitch.optimization.history import History, counted, interval
from netstitch.optimization.operators.initialisation import Initialisation
from netstitch.optimization.problem import Problem
from netstitch.optimization.rejection import RejectionRule
from netstitch.optimization.search_result import Progress, SearchResult
from netstitch.optimization.search_state import as_plain
from netstitch.optimization.solution import Evaluation

SMALLEST_POPULATION = 4


def run_search(
    problem: Problem,
    executor: Executor,
    *,
    budget: Budget,
    algorithm: str | Build = "ga",
    population: int = 256,
    seed: int = 0,
    threshold: Threshold | None = None,
    initial: Sequence[Sequence[int] | npt.NDArray[np.integer]] = (),
    initialisation: Initialisation | None = None,
    settings: Mapping[str, Any] | None = None,
    patience: int | None = None,
    on_evaluation: Callable[[Evaluation], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    clock: Callable[[], float] | None = None,
    bounding: RejectionRule | None = None,
) -> SearchResult:
    """Search a problem with one of ALGORITHMS or another (the paper's section 5).

    With an executor that completes in a fixed order and no end by time, runs of one seed are equal
    bit for bit.

    algorithm: a name, or what makes one of your own from a `Setup` and settings by keyword, such as
        a `GenePoolMixing` of other parts.
    budget: when it ends nothing new is started; what is under way still counts for the result.
    population: number of loops, at least 4.
    threshold: steers the search to solutions over it; it has risen from 0 to its target when half
        of the evaluations are used, skipped ones included if the budget counts them. With a budget
        of time only it follows the clock, and runs are not repeatable. Random search has none.
    initial: genotypes that the first slots start from, such as the reference networks.
    settings: of the algorithm, by name.
    patience: proposals in a row without a new signature after which the search ends, since a small
        space cannot spend its budget; by default 10,000 or 100 per slot, whichever is more.
    on_evaluation: called with every distinct evaluation before the algorithm learns of it.
    on_progress: called after every distinct evaluation.
    clock: seconds from any start, for the time budget; by default the `now` of an executor that
        has its own, as a simulated one.
    bounding: lets evaluations end where their outcome is certain, which changes nothing of what is
        found. Those of "ga", "gomea", "lk-gomea" and "random" may; others learn from every value.

    Raises SearchError on bad input before anything is evaluated, and when all evaluations fail. The
    executor stays open.
    """
    return prepare_search(
        problem,
        executor,
        budget=budget,
        algorithm=algorithm,
        population=population,
        seed=seed,
        threshold=threshold,
        initial=initial,
        initialisation=initialisation,
        settings=settings,
        patience=patience,
        on_evaluation=on_evaluation,
        on_progress=on_progress,
        clock=clock,
        bounding=bounding,
    ).run()


def prepare_search(
    problem: Problem,
    executor: Executor,
    *,
    budget: Budget,
    algorithm: str | Build = "ga",
    population: int = 256,
    seed: int = 0,
    threshold: Threshold | None = None,
    initial: Sequence[Sequence[int] | npt.NDArray[np.integer]] = (),
    initialisation: Initialisation | None = None,
    settings: Mapping[str, Any] | None = None,
    patience: int | None = None,
    on_evaluation: Callable[[Evaluation], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    clock: Callable[[], float] | None = None,
    bounding: RejectionRule | None = None,
) -> Engine:
    """A search as `run_search` takes it, not run yet, so that its state can be asked for.

        search = prepare_search(problem, executor, budget=..., on_progress=keep)
        search.restore(load_state(file))    # to go on from what `save_state` wrote
        result = search.run()               # `keep` may call save_state(file, search.state())

    Raises SearchError on bad input.
    """
    settings = settings or {}
    initialisation = initialisation or Initialisation()
    check_settings(algorithm, settings)
    _check_sizes(population, budget, len(initial), patience, seed)
    _check_variables(problem, initialisation)
    rise = None if threshold is None else annealed_constraint(problem, threshold)
    if not entry(algorithm).steered:
        rise = None
    archive = Archive(problem.objectives, None if rise is None else rise.column)
    genotypes = [problem.checked(genotype) for genotype in initial]
    setup = Setup(
        problem=problem,
        population=population,
        initialisation=initialisation,
        initial=np.array(genotypes, dtype=np.int64).reshape(len(genotypes), problem.length),
        archive=archive,
        steering=rise,
        generator=np.random.default_rng(seed),
    )
    asked = {
        "cardinalities": list(problem.cardinalities),
        "objectives": [[one.name, one.maximise] for one in problem.objectives],
        "algorithm": name_of(algorithm),
        "settings": dict(settings),
        "population": population,
        "seed": seed,
        "threshold": None if threshold is None else [threshold.objective, threshold.target],
        "initial": [genotype.tolist() for genotype in genotypes],
        "initialisation": [initialisation.probability, list(initialisation.uniform)],
    }
    return Engine(
        problem,
        entry(algorithm).build(setup, **settings),
        executor,
        archive,
        budget,
        generator=setup.generator,
        asked=as_plain(asked),
        steering=rise,
        history=History(
            problem,
            counted(problem.length, initialisation.uniform),
            interval(budget.evaluations, population),
        ),
        patience=max(10_000, 100 * population) if patience is None else patience,
        on_evaluation=on_evaluation,
        on_progress=on_progress,
        clock=getattr(executor, "now", time.monotonic) if clock is None else clock,
        bounding=bounding,
    )


def check_population(population: int, budget: Budget) -> None:
    """Raise SearchError for a population that is too small, or larger than the budget."""
    if not isinstance(population, int | np.integer) or population < SMALLEST_POPULATION:
        raise SearchError(
            f"the population is {population!r}: give a whole number of at least "
            f"{SMALLEST_POPULATION}"
        )
    if budget.evaluations is not None and budget.evaluations < population:
        raise SearchError(
            f"the budget of {budget.evaluations} evaluations is smaller than the population of "
            f"{population}: give a larger budget or a smaller population"
        )


def _check_sizes(
    population: int, budget: Budget, initial: int, patience: int | None, seed: int
) -> None:
    check_population(population, budget)
    if initial > population:
        raise SearchError(
            f"{initial} initial genotypes for a population of {population}: "
            "give fewer or a larger population"
        )
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise SearchError(f"the seed is {seed!r}: give a whole number of 0 or more")
    if patience is not None and patience < 1:
        raise SearchError(f"patience is {patience}: give at least 1")


def _check_variables(problem: Problem, initialisation: Initialisation) -> None:
    for variable in initialisation.uniform:
        if not -problem.length <= variable < problem.length:
            raise SearchError(
                f"the initialisation names variable {variable}: the problem has {problem.length}"
            )
