"""Printing how far a run is."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from netstitch.cli.console import Terminal
from netstitch.records import RunDocument
from netstitch.records.run_document import check_begun, how_on, state_of
from netstitch.records.run_folder import RUN_FILE, is_running
from netstitch.records.unchanged import check_folder
from netstitch.searching.search_progress import (
    PROGRESS_FILE,
    SearchProgress,
    read_progress,
    score_text,
)
from netstitch.text import counted, duration

QUIET = 60.0
"""Seconds after which the age of the last news is shown."""


def show_status(run: Path, clock: Callable[[], float] = time.time) -> None:
    """Print the status of a run; raise StorageError where the folder is none of a run."""
    terminal = Terminal()
    for line in status_lines(run, clock()):
        terminal.print(line, soft_wrap=True)


def status_lines(run: Path, now: float) -> Iterator[str]:
    """Yield the lines of a status.

    The folder is checked first, which reads all networks: of one that changed, nothing is told.

    Args:
        run: The folder of the run.
        now: Seconds since 1970.
    """
    running = is_running(run)
    if running and not (run / RUN_FILE).exists():
        yield f"{run}: capturing, matching and fitting; there is more to tell when that is done"
        return
    check_begun(run)
    document = check_folder(run)
    yield f"{document.name or run.name}: {_stage(run, document, running)}"
    yield from (f"  {line}" for line in document.warnings)
    if (run / PROGRESS_FILE).exists():
        yield from _progress_lines(read_progress(run / PROGRESS_FILE), now if running else None)
    elif (outcome := document.outcome) is not None:
        yield (
            f"  {outcome.evaluations:,} evaluated, {outcome.skipped:,} known "
            f"({outcome.unchanged:,} unchanged), "
            f"{outcome.failed:,} failed, in {duration(outcome.search_seconds)}"
        )


def _stage(run: Path, document: RunDocument, running: bool) -> str:
    stage = state_of(run, document, running=running)
    return stage if running or document.done else f"{stage}; {how_on(run, running=False)}"


def _progress_lines(progress: SearchProgress, now: float | None) -> Iterator[str]:
    counts = progress.counts
    early = f" ({counts.stopped_early:,} of them in part)" if counts.stopped_early else ""
    failed = f", {counts.failed:,} failed" if counts.failed else ""
    yield (
        f"  population {progress.search:,}: {progress.share:.0%} of the budget, "
        f"{counts.evaluated:,} evaluated{early}, {counts.skipped:,} known "
        f"({counts.unchanged:,} unchanged){failed}"
    )
    left = "" if now is None or progress.left is None else f", {duration(progress.left)} left"
    yield (
        f"  {counts.rate:.1f}/s for {duration(counts.elapsed)}{left}; {counts.in_flight} "
        f"under way on {counted(progress.workers, 'worker')}, "
        f"idle {counts.idle:.0%}"
    )
    score = progress.score
    best = "" if score is None else f"best {score_text(progress.objective, score)}, "
    yield f"  {best}{counts.archived:,} in the archive, hypervolume {progress.hypervolume:.4f}"
    if now is not None and now - progress.written > QUIET:
        yield f"  as of {duration(now - progress.written)} ago"
