"""One call that puts a search together and runs it."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypedDict, Unpack

import numpy as np

from netstitch.errors import SearchError
from netstitch.optimization.algorithms.algorithm import ReferencePointOf, Setup
from netstitch.optimization.algorithms.head_start import HeadStart, WithHeadStart
from netstitch.optimization.algorithms.registry import built, entry, name_of
from netstitch.optimization.archive import Archive
from netstitch.optimization.engine import Engine
from netstitch.optimization.executors.executor import Executor
from netstitch.optimization.operators.initialisation import Initialisation
from netstitch.optimization.problem import Evaluation, Genotype, InitialGenotypes, Problem
from netstitch.optimization.rejection import RejectionRule
from netstitch.optimization.rising_threshold import rising_threshold
from netstitch.optimization.search_result import Progress, SearchResult
from netstitch.optimization.search_settings import SearchSettings
from netstitch.optimization.search_state import json_ready


@dataclass(frozen=True, eq=False)
class SearchStart:
    """The genotypes that a search begins with, and how the others of its first slots are drawn.

    Attributes:
        initial: Genotypes that the first slots start from, such as the reference networks.
        head_start: Genotypes that are evaluated before the first population, behind the initial
            ones; up to half of it then starts from the best of both. Random search has none.
        initialisation: The distribution of the other first genotypes.
    """

    initial: InitialGenotypes = ()
    head_start: HeadStart | None = None
    initialisation: Initialisation | None = None


class RunSearchKeywords(TypedDict, total=False):
    """Further keywords of `run_search`, as described there."""

    seed: int
    rejection: RejectionRule | None
    reference_point: ReferencePointOf | None
    on_evaluation: Callable[[Evaluation], None] | None
    on_progress: Callable[[Progress], None] | None


def run_search(
    problem: Problem,
    executor: Executor,
    settings: SearchSettings,
    *,
    initial: InitialGenotypes = (),
    head_start: HeadStart | None = None,
    initialisation: Initialisation | None = None,
    **options: Unpack[RunSearchKeywords],
) -> SearchResult:
    """Search a problem with one of ALGORITHMS or another (the paper's section 5).

    With an executor that completes in a fixed order, and where time ends neither the search nor its
    head start, runs of one seed are equal bit for bit. When the budget ends nothing new is started;
    what is under way still counts for the result, unless it would take more than a twentieth longer
    than a limit of time: it is then given up. A threshold has risen from 0 to its target when half
    of the evaluations are used, skipped ones included if the budget counts them; with a budget of
    time only it follows the clock, and runs are not repeatable. Random search has none. The
    executor stays open.

    Args:
        problem: What is searched.
        executor: Evaluates genotypes.
        settings: What the search is asked to do.
        initial: Genotypes that the first slots start from; see `SearchStart`, here and below.
        head_start: Genotypes that are evaluated before the first population.
        initialisation: The distribution of the other first genotypes.
        **options: `seed`: of all that is drawn, 1 by default. `rejection`: lets evaluations stop
            early where their outcome is certain, which changes nothing of what is found, or in a
            race, where they are not likely to be on the front; those of "ga", "gomea",
            "lk-gomea", "surrogate" and "random" may, others learn from every value.
            `reference_point`: see `Setup`; only "surrogate" asks. `on_evaluation`: called with
            every distinct evaluation before the algorithm learns of it. `on_progress`: called
            after each of them.

    Raises:
        SearchError: On bad input before anything is evaluated, and when all evaluations fail.
    """
    start = SearchStart(initial, head_start, initialisation)
    return prepare_search(problem, executor, settings, start=start, **options).run()


def prepare_search(
    problem: Problem,
    executor: Executor,
    settings: SearchSettings,
    *,
    start: SearchStart | None = None,
    seed: int = 1,
    rejection: RejectionRule | None = None,
    reference_point: ReferencePointOf | None = None,
    on_evaluation: Callable[[Evaluation], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Engine:
    """Return a search that is not run yet, so that its state can be asked for.

        search = prepare_search(problem, executor, settings, on_progress=keep)
        search.restore(load_state(file))    # to go on from what `save_state` wrote
        result = search.run()               # `keep` may call save_state(file, search.state())

    Arguments and errors are those of `run_search`, with the genotypes it begins with in one.
    """
    start = start or SearchStart()
    initialisation = start.initialisation or Initialisation()
    initialisation.check(problem)
    genotypes = [problem.checked(genotype) for genotype in start.initial]
    if len(genotypes) > settings.size and entry(settings.algorithm).has_population:
        raise SearchError(
            f"{len(genotypes)} initial genotypes for a population of {settings.size}: "
            "give fewer or a larger population"
        )
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise SearchError(f"the seed is {seed!r}: give a whole number of 0 or more")
    constraint = None
    if settings.threshold is not None:
        constraint = rising_threshold(problem, settings.threshold)
    if not entry(settings.algorithm).follows_threshold:
        constraint = None
    setup = Setup(
        problem=problem,
        population=settings.size,
        initialisation=initialisation,
        initial=np.array(genotypes, dtype=np.int64).reshape(len(genotypes), problem.length),
        archive=Archive(problem.objectives, None if constraint is None else constraint.column),
        constraint=constraint,
        generator=np.random.default_rng(seed),
        frame=settings.frame,
        convergence=settings.convergence,
        reference_point=reference_point,
    )
    config = {
        "cardinalities": problem.cardinalities,
        "objectives": [[one.name, one.maximise] for one in problem.objectives],
        "algorithm": name_of(settings.algorithm),
        "settings": settings.settings,
        "population": settings.size,
        "seed": seed,
        "threshold": settings.threshold,
        "frame": settings.frame,
        "convergence": settings.convergence,
        "initial": genotypes,
        "initialisation": [initialisation.probability, initialisation.uniform],
    }
    engine: Engine  # which is there by the time that anything is proposed
    build = partial(built, settings.algorithm, settings=settings.settings)
    head_start = start.head_start
    if head_start is None or not entry(settings.algorithm).takes_head_start:
        algorithm = build(setup)
    else:
        before = _different(problem, [*genotypes, *map(problem.checked, head_start.genotypes)])
        always, share = len(_different(problem, genotypes)), head_start.share
        algorithm = WithHeadStart(
            setup, build, before, always, share, lambda: engine.account.larger_share
        )
        config["head_start"] = [before, share]
    engine = Engine(
        setup,
        algorithm,
        executor,
        settings,
        config=json_ready(config),
        rejection=rejection,
        on_evaluation=on_evaluation,
        on_progress=on_progress,
    )
    return engine


def _different(problem: Problem, genotypes: Sequence[Genotype]) -> list[Genotype]:
    """Return the first genotype of each signature, in their order."""
    found: dict[Hashable, Genotype] = {}
    for genotype in genotypes:
        found.setdefault(problem.identify(genotype), genotype)
    return list(found.values())
