"""A sweep of population sizes: one search of each, on one store of evaluations.

The paper's section 7 chooses every algorithm's population so, by the normalised hypervolume at the
end of a run with the whole budget.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from netstitch.analysis import hypervolume
from netstitch.files.documents import Count
from netstitch.optimization import SearchResult


@dataclass(frozen=True)
class Swept:
    """One size, and what a run with it came to.

    Attributes:
        population: The size.
        hypervolume: Of the accuracies and costs that the search saw, normalised by the
            ensemble's cost, over the sweep's floor.
        evaluated: Distinct evaluations.
        skipped: Proposals that were known.
    """

    population: Count
    hypervolume: float
    evaluated: Count
    skipped: Count


def sweep(
    search: Callable[[int], SearchResult],
    sizes: Sequence[int],
    ensemble: float,
    floor: float = 0.0,
) -> tuple[SearchResult, tuple[Swept, ...]]:
    """Run each size, and keep the result with the most hypervolume, the first of equal ones.

    An interruption ends the sweep too: of what there is, the best is kept, as interrupted.

    Args:
        search: Runs with a population size; its objectives are accuracy and cost.
        sizes: The population sizes.
        ensemble: The cost of the ensemble.
        floor: The accuracy that hypervolumes count from.
    """
    results: list[SearchResult] = []
    swept: list[Swept] = []
    interrupted = False
    for size in sizes:
        try:
            result = search(size)
        except KeyboardInterrupt:  # between two searches; within one it is a result
            if not results:
                raise
            interrupted = True
            break
        values = [one.objectives for one in result.archive if one.objectives is not None]
        volume = hypervolume(
            [accuracy for accuracy, _ in values],
            [cost for _, cost in values],
            ensemble=ensemble,
            accuracy_floor=floor,
        )
        results.append(result)
        swept.append(Swept(size, volume, result.evaluated, result.skipped))
        interrupted = result.stopped == "interrupted"
        if interrupted:
            break
    best = results[max(range(len(results)), key=lambda index: swept[index].hypervolume)]
    return replace(best, stopped="interrupted") if interrupted else best, tuple(swept)
