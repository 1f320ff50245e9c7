"""How far a run is, for people."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from netstitch.cli.console import Terminal
from netstitch.records import RunDocument, check_folder
from netstitch.records.run_folder import PROGRESS_FILE, RUN_FILE, is_running
from netstitch.records.run_state import check_begun, how_on, state_of
from netstitch.searching.search_progress import SearchProgress, read_progress, score_text
from netstitch.text import counted, duration

QUIET = 60.0
"""Seconds without news after which it is said how old they are."""


def show_status(run: Path, clock: Callable[[], float] = time.time) -> None:
    """Print it; raises StorageError where the folder is not one of a run."""
    terminal = Terminal()
    for line in status_lines(run, clock()):
        terminal.print(line, highlight=False, soft_wrap=True)


def status_lines(run: Path, now: float) -> Iterator[str]:
    """The lines of a status. now: seconds since 1970."""
    running = is_running(run)
    if running and not (run / RUN_FILE).exists():
        yield f"{run}: capturing, matching and fitting; there is more to tell when that is done"
        return
    check_begun(run)
    document = check_folder(run)
    yield f"{document.name or run.name}: {_stage(run, document, running)}"
    yield from (f"  {line}" for line in document.warnings)
    if (run / PROGRESS_FILE).exists():
        yield from _standing_lines(read_progress(run / PROGRESS_FILE), now if running else None)
    elif (outcome := document.outcome) is not None:
        yield (
            f"  {outcome.evaluations:,} evaluated, {outcome.skipped:,} known, "
            f"{outcome.failed:,} failed, in {duration(outcome.search_seconds)}"
        )


def _stage(run: Path, document: RunDocument, running: bool) -> str:
    stage = state_of(run, document, running=running)
    return stage if running or document.done else f"{stage}; {how_on(run, running=False)}"


def _standing_lines(standing: SearchProgress, now: float | None) -> Iterator[str]:
    early = f" ({standing.bounded:,} of them in part)" if standing.bounded else ""
    failed = f", {standing.failed:,} failed" if standing.failed else ""
    yield (
        f"  population {standing.search:,}: {standing.share:.0%} of the budget, "
        f"{standing.evaluated:,} evaluated{early}, {standing.skipped:,} known{failed}"
    )
    left = "" if now is None or standing.left is None else f", {duration(standing.left)} left"
    yield (
        f"  {standing.rate:.1f}/s for {duration(standing.elapsed)}{left}; {standing.in_flight} "
        f"under way on {counted(standing.workers, 'worker')}, "
        f"idle {standing.idle:.0%}"
    )
    score = standing.score
    best = "" if score is None else f"best {score_text(standing.objective, score)}, "
    yield f"  {best}{standing.archived:,} in the archive, hypervolume {standing.hypervolume:.4f}"
    if now is not None and now - standing.written > QUIET:
        yield f"  as of {duration(now - standing.written)} ago"
