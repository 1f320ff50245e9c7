"""A search of each population size, of which the best counts.

What one size evaluated is known to the next, and what a search that was stopped did to the one that
goes on from its record.
"""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from netstitch.errors import SearchError
from netstitch.events import Listener, StageBegan
from netstitch.optimization import Evaluation, Executor, Progress, SearchResult
from netstitch.optimization.executors.replay import (
    Arrival,
    KnownResult,
    OrderedExecutor,
    ReplayExecutor,
    known_by,
    known_by_arrival,
)
from netstitch.searching.search_progress import (
    EVERY,
    ResultRecorded,
    SearchAdvanced,
    SearchMeasured,
    Timer,
    search_progress,
)
from netstitch.searching.search_recorder import SearchRecorder
from netstitch.searching.supernet_problem import SupernetSearch
from netstitch.searching.sweep import Swept, sweep
from netstitch.stitching.reachability import Genotype


def search_sizes(
    search: SupernetSearch,
    executor: Executor,
    ordered: bool,
    *,
    record: SearchRecorder | None,
    listener: Listener,
) -> tuple[SearchResult, tuple[Swept, ...]]:
    """Search with a population of each size, and return the best result, and all in short.

    Args:
        search: What is searched, and how.
        executor: What evaluates.
        ordered: Whether the search is given results in the order in which it asked for them.
        record: Where results are written as they come, and the search goes on from.
        listener: Told of each distinct evaluation, how far the search is, and which population size
            begins.

    Raises:
        SearchError: A reference network cannot be evaluated.
        KeyboardInterrupt: The search was stopped before it was as far as its record.
    """
    sizes = search.settings.sizes
    references = search.supernet.references()
    known: dict[Hashable, KnownResult] = {} if record is None else record.known
    ordered = ordered and executor.capacity > 1
    problem, ensemble = search.problem, search.ensemble
    pace = Timer(EVERY)

    def keep(evaluation: Evaluation) -> None:
        if record is not None:
            record.keep(evaluation)
        else:
            known[evaluation.signature] = known_by(evaluation)
        listener(ResultRecorded(evaluation))
        if evaluation.failure is not None:
            _check_no_reference(references, evaluation)

    def remember(arrivals: Sequence[Arrival]) -> None:
        """Take in what ended early and was done whole after all."""
        for one in arrivals:
            if one.signature in known:
                known[one.signature] = known_by_arrival(one, problem.objectives)

    def search_with(size: int) -> SearchResult:
        if len(sizes) > 1:
            listener(StageBegan(f"search with a population of {size:,}"))
        # What another size evaluated is known, and what this one did before it was stopped.
        arrive = remember if record is None else record.arrive
        recalling = ReplayExecutor(executor, problem.identify, known, arrive)

        def look(progress: Progress) -> None:
            if record is not None:
                record.look()
            if pace.due():
                measure(progress)
            listener(SearchAdvanced(progress, search.settings.budget))

        def measure(progress: Progress) -> None:
            if record is not None and record.behind:
                return
            measured = search_progress(
                size,
                progress,
                search.settings.budget,
                engine.front,
                workers=executor.workers,
                ensemble=ensemble,
            )
            listener(SearchMeasured(measured))

        source = OrderedExecutor(recalling) if ordered else recalling
        engine = search.engine(size, source, on_evaluation=keep, on_progress=look)
        if record is not None:
            record.begin(size, engine, recalling)
        result = engine.run()
        if record is not None:
            if result.stopped == "interrupted" and record.behind:
                raise KeyboardInterrupt  # what there was before is more than this result
            record.save()
        measure(engine.account.progress())
        return result

    return sweep(search_with, sizes, ensemble, search.floor)


def _check_no_reference(references: Mapping[str, Genotype], evaluation: Evaluation) -> None:
    """Raise SearchError where a reference fails, with which nothing could be compared."""
    for name, genotype in references.items():
        if np.array_equal(genotype, evaluation.genotype):
            raise SearchError(
                f"{name} cannot be evaluated on the validation samples: {evaluation.failure}"
            )
