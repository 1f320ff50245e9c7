"""A sweep of population sizes, on results that are made up."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small_supernets import small_supernet

from netstitch.analysis.hypervolume import ReferencePoint
from netstitch.errors import SearchError
from netstitch.events import Event
from netstitch.optimization import SearchResult, SerialExecutor, Solution
from netstitch.optimization.search_settings import SWEEP_SIZES
from netstitch.searching import sweep as sweeping
from netstitch.searching.search_progress import ResultRecorded, SearchMeasured
from netstitch.searching.supernet_search_settings import SupernetSearchSettings
from netstitch.searching.sweep import SupernetSearch, Swept, search_sizes, sweep


def result(*objectives: tuple[float, float], stopped: Any = "budget") -> SearchResult:
    archive = tuple(Solution(np.array([0]), values) for values in objectives)
    return SearchResult(
        archive=archive,
        used=9,
        evaluated=7,
        failed=0,
        skipped=2,
        elapsed=1.0,
        idle=0.0,
        history=(),
        stopped=stopped,
    )


def over(accuracy: float) -> Callable[[], ReferencePoint]:
    return lambda: ReferencePoint(100, accuracy)


def test_the_size_of_the_largest_hypervolume_is_kept() -> None:
    results = {
        4: result((0.5, 50.0)),
        8: result((0.5, 20.0), (0.75, 60.0)),
        16: result((0.7, 40.0)),
    }
    best, swept = sweep(results.__getitem__, [4, 8, 16], over(0.0))
    assert best is results[8]
    assert swept == (
        Swept(4, pytest.approx(0.3), 7, 2),
        Swept(8, pytest.approx(0.45 + 0.25 * 0.5), 7, 2),
        Swept(16, pytest.approx(0.49), 7, 2),
    )


def test_hypervolumes_count_from_the_floor() -> None:
    """Cheap networks under the floor count for nothing, as in the protocol that asks for it."""
    results = {4: result((0.5, 5.0)), 8: result((0.7, 60.0))}
    assert sweep(results.__getitem__, [4, 8], over(0.0))[0] is results[4]
    best, swept = sweep(results.__getitem__, [4, 8], over(0.6))
    assert best is results[8]
    assert [one.hypervolume for one in swept] == [0.0, pytest.approx(0.1 * 0.5)]


def test_an_interruption_ends_the_sweep_with_the_best_so_far() -> None:
    results = {4: result((0.5, 50.0)), 8: result((0.4, 50.0), stopped="interrupted")}
    best, swept = sweep(results.__getitem__, [4, 8, 16], over(0.0))
    assert (best.archive, best.stopped) == (results[4].archive, "interrupted")
    assert [one.population for one in swept] == [4, 8]


def test_an_interruption_between_two_searches_leaves_the_best_so_far() -> None:
    def search(size: int) -> SearchResult:
        if size == 8:
            raise KeyboardInterrupt
        return result((0.5, 50.0))

    best, swept = sweep(search, [4, 8, 16], over(0.0))
    assert best.stopped == "interrupted"
    assert [one.population for one in swept] == [4]
    with pytest.raises(KeyboardInterrupt):
        sweep(search, [8, 16], over(0.0))


def test_an_archive_that_is_empty_is_worth_nothing() -> None:
    best, swept = sweep(lambda size: result(stopped="interrupted"), [4], lambda: None)
    assert best.archive == ()
    assert swept[0].hypervolume == 0.0


def test_sizes_are_those_that_the_budget_has_evaluations_for() -> None:
    swept = SupernetSearchSettings(algorithm="ga", evaluations=600, population="sweep")
    assert swept.sizes == (128, 256, 512)
    assert swept.changed(evaluations=None, seconds=5.0).sizes == SWEEP_SIZES
    with pytest.raises(SearchError, match="begins with 128, and the budget is 127 evaluations"):
        swept.changed(evaluations=127)


def test_progress_is_measured_once_a_second_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = count(start=0.0, step=0.4)
    monkeypatch.setattr(sweeping, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    settings = SupernetSearchSettings(
        evaluations=10, count_skipped=False, algorithm="random", population=4
    )
    executor = SerialExecutor(lambda genotype: (0.5, float(genotype.sum())))
    events: list[Event] = []
    search_sizes(
        SupernetSearch(small_supernet(), settings, 1),
        executor,
        ordered=True,
        record=None,
        listener=events.append,
    )
    results = [index for index, one in enumerate(events) if isinstance(one, ResultRecorded)]
    measured = [one.progress for one in events if isinstance(one, SearchMeasured)]
    assert len(results) == 10
    assert [one.counts.evaluated for one in measured] == [1, 4, 7, 10, 10]


def test_values_are_worthless_by_the_references_and_by_no_floor_that_is_reported() -> None:
    supernet = small_supernet()
    references = list(supernet.references().values())
    search = SupernetSearch(supernet, SupernetSearchSettings(evaluations=200), 1)
    known: dict[Any, Solution] = {}
    for accuracy, genotype in zip((0.83, 0.76, 0.9), references, strict=True):
        assert search.worthless_beyond(known) is None
        found = Solution(genotype, (accuracy, search.cost_of(genotype)))
        known[search.problem.identify(genotype)] = found
    reach = pytest.approx(1.1 * max(map(supernet.macs, references)))
    assert search.worthless_beyond(known) == (pytest.approx(0.66), reach)
    assert replace(search, floor=0.9).worthless_beyond(known) == search.worthless_beyond(known)
    first = search.problem.identify(references[0])
    known[first] = Solution(references[0], (0.1, known[first].objectives[1]))
    assert search.worthless_beyond(known) == (pytest.approx(0.6), reach)


def test_costs_need_no_evaluation() -> None:
    supernet = small_supernet()
    problem = SupernetSearch(supernet, SupernetSearchSettings(evaluations=200), 1).problem
    for genotype in supernet.references().values():
        assert problem.computed["multiply-adds"](genotype) == supernet.macs(genotype)
