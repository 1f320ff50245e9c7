"""The progress of a search, in a file beside it and as scalars of TensorBoard."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netstitch.analysis.hypervolume import ReferencePoint
from netstitch.errors import SearchError, StorageError
from netstitch.optimization import Budget, Progress, Solution
from netstitch.runs.listeners import TensorBoard, scalars
from netstitch.searching.search_progress import (
    SearchMeasured,
    SearchProgress,
    read_progress,
    search_progress,
    spent,
    write_progress,
)

PROGRESS = Progress(
    used=50,
    evaluated=40,
    failed=1,
    skipped=10,
    in_flight=3,
    elapsed=20.0,
    rate=2.0,
    idle=0.25,
    archived=2,
    best=(0.75, 10.0),
)
FRONT = [
    Solution(np.array([0]), (0.5, 25.0)),
    Solution(np.array([1]), (0.75, 50.0)),
]


def stands(**changes: Any) -> SearchProgress:
    found = search_progress(
        64,
        PROGRESS,
        Budget(200),
        FRONT,
        workers=2,
        over=ReferencePoint(100, 0.4),
        clock=lambda: 1e9,
    )
    return found.model_copy(update=changes)


def test_a_quarter_of_the_budget_leaves_three_times_as_long() -> None:
    found = stands()
    assert (found.share, found.left) == (0.25, 60.0)
    assert found.hypervolume == pytest.approx(0.25 * 0.1 + 0.6 * 0.35)
    assert (found.score, found.written) == (0.75, 1e9)


@pytest.mark.parametrize("budget, share", [(Budget(200, 25), 0.8), (Budget(None, 10), 1.0)])
def test_of_two_budgets_the_one_that_ends_first_counts(budget: Budget, share: float) -> None:
    assert spent(PROGRESS, budget) == share


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    for found in (stands(), stands(left=None, counts=replace(PROGRESS, best=None))):
        write_progress(tmp_path / "progress.json", found)
        assert read_progress(tmp_path / "progress.json") == found


@pytest.mark.parametrize("content", ['{"format": "netstitch-progress-3"}', "{", ""])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "progress.json").write_text(content)
    with pytest.raises(StorageError, match=r"progress\.json"):
        read_progress(tmp_path / "progress.json")


def test_tensorboard_has_a_series_for_each_search(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with closing(TensorBoard(tmp_path)) as watch:
        later = stands(counts=replace(PROGRESS, used=100), hypervolume=0.6)
        for found in (stands(), later, stands(search=128)):
            watch(SearchMeasured(found))
    events = EventAccumulator(str(tmp_path / "population-64"))
    events.Reload()
    found = [(one.step, one.value) for one in events.Scalars("search/hypervolume")]
    assert found == [(50, pytest.approx(0.235)), (100, pytest.approx(0.6))]
    assert [one.value for one in events.Scalars("search/best_accuracy")] == [0.75, 0.75]
    assert (tmp_path / "population-128").is_dir()


def test_tensorboard_has_the_cross_entropy_of_a_search_for_it() -> None:
    sought = replace(PROGRESS, objectives=("cross-entropy", "multiply-adds"), best=(0.5, 10.0))
    found = scalars(stands(counts=sought))
    assert found["search/best_cross_entropy"] == pytest.approx(0.6931, abs=1e-4)
    assert "search/best_accuracy" not in found


def test_without_tensorboard_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    with pytest.raises(SearchError, match=r"pip install 'netstitch\[tensorboard\]'"):
        TensorBoard(tmp_path)
