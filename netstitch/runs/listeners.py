"""Listeners to a run: lines of text, the log, warnings in run.json, and TensorBoard, an extra."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from netstitch.errors import SearchError
from netstitch.events import Advanced, Event, FolderOpened, Message, StageBegan
from netstitch.optimization import Progress
from netstitch.records.run_document import keep_warnings
from netstitch.searching.search_progress import (
    SearchAdvanced,
    SearchMeasured,
    SearchProgress,
    score_text,
    spent,
    time_left,
)
from netstitch.text import duration, printable

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

LOG_FILE = "run.log"
PAUSE = 30.0
"""Seconds between the lines that say how far a step is."""
WIDTH = 68
"""Characters for the state of a search, so that it fits behind a bar."""


class EventLines:
    """Turns events into lines: one for each step and message, and now and then how far a step is.

    Attributes:
        note: How far the step is, in words.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said = clock()
        self._pace = StepPace(clock)
        self._warnings: set[Message] = set()
        self.note = ""

    def line(self, event: Event) -> str | None:
        """Return the line of an event; None where there is none, as for a warning said before."""
        match event:
            case StageBegan():
                self._said = self._clock()
                self._pace = StepPace(self._clock)
                return event.name
            case Message():
                if event in self._warnings:
                    return None
                if event.warning:
                    self._warnings.add(event)
                return f"  {event}"
            case Advanced(done, total, text):
                left = self._pace.left(done, total)
                self.note = text if left is None else f"{text}, {duration(left)} left"
                share = f"{done:,}" if total is None else f"{done / max(total, 1):.0%}"
            case SearchAdvanced(progress, budget):
                part = spent(progress, budget)
                self.note = describe(progress, part)
                share = f"{part:.0%}"
            case _:
                return None
        if self._clock() - self._said < PAUSE:
            return None
        self._said = self._clock()
        return f"  {share}: {self.note}"


class StepPace:
    """The pace of a step, from where it was first seen."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began: tuple[float, int] | None = None
        self._done = 0

    def left(self, done: int, total: int | None) -> float | None:
        """Return the seconds left; None while that is not known.

        Where the count falls back, another pass begins, and its pace is measured anew.
        """
        now = self._clock()
        if self._began is None or done < self._done:
            self._began = now, done
        self._done = done
        began, first = self._began
        if total is None or done <= first or done > total:
            return None
        return (now - began) * (total - done) / (done - first)


def describe(progress: Progress, share: float) -> str:
    """Return the state of a search, the first things first, as much as there is room for.

    `share` is that of the budget that is spent, 0 to 1.
    """
    parts = [f"{progress.evaluated:,} evaluated", f"{progress.rate:.1f}/s"]
    if progress.best is not None:
        parts.append(f"best {score_text(progress.objectives[0], progress.best[0])}")
    left = time_left(progress, share)
    if left is not None:
        parts.append(f"{duration(left)} left")
    parts.append(f"{progress.idle:.0%} idle")
    if progress.in_flight > 1:
        parts.append(f"{progress.in_flight} under way")
    while len(text := ", ".join(parts)) > WIDTH:
        parts.pop()
    return text


class RunLog:
    """A listener that appends every line, with the time, to a log in the run's folder.

    Lines wait until the folder is there. A log that cannot be written never ends a run.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lines = EventLines(clock)
        self._waiting: list[str] = []
        self._file: Path | None = None

    def __call__(self, event: Event) -> None:
        """Write down an event."""
        if isinstance(event, FolderOpened):
            self._file = event.folder / LOG_FILE
        elif (line := self._lines.line(event)) is not None:
            moment = datetime.now().isoformat(sep=" ", timespec="seconds")
            self._waiting.append(f"{moment} {printable(line)}\n")
        if self._file is None or not self._waiting:
            return
        text = "".join(self._waiting)
        self._waiting.clear()
        with (
            suppress(OSError),
            self._file.open("a", encoding="utf-8", errors="backslashreplace") as file,
        ):
            file.write(text)


class WarningKeeper:
    """A listener that keeps warnings in the run.json of the run's folder, each once.

    They wait until the folder is there.
    """

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._folder: Path | None = None

    def __call__(self, event: Event) -> None:
        """Keep a warning; other events are ignored."""
        if isinstance(event, FolderOpened):
            self._folder = event.folder
        elif isinstance(event, Message) and event.warning:
            self._waiting.append(str(event))
        if self._folder is not None and self._waiting:
            keep_warnings(self._folder, self._waiting)
            self._waiting.clear()


def scalars(progress: SearchProgress) -> dict[str, float]:
    """Return the values to plot over evaluations, by name."""
    counts = progress.counts
    found = {
        "search/evaluated": counts.evaluated,
        "search/skipped": counts.skipped,
        "search/unchanged": counts.unchanged,
        "search/failed": counts.failed,
        "search/ended early": counts.stopped_early,
        "search/archived": counts.archived,
        "search/hypervolume": progress.hypervolume,
        "workers/rate": counts.rate,
        "workers/idle": counts.idle,
        "workers/in_flight": counts.in_flight,
    }
    if progress.cross_entropy is not None:
        found["search/best_cross_entropy"] = progress.cross_entropy
    elif progress.score is not None:
        found["search/best_accuracy"] = progress.score
    return found


class TensorBoard:
    """Scalars of a run in a folder, one series for each search; to be closed.

    Raises:
        SearchError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import tensorboard  # noqa: F401
        except ImportError:
            raise SearchError(
                "TensorBoard is not installed: pip install 'netstitch[tensorboard]'"
            ) from None
        self._folder = folder
        self._writers: dict[int, SummaryWriter] = {}

    def __call__(self, event: Event) -> None:
        """Write the scalars of a search that was measured; other events are ignored."""
        if not isinstance(event, SearchMeasured):
            return
        from torch.utils.tensorboard.writer import SummaryWriter

        progress = event.progress
        if progress.search not in self._writers:
            folder = self._folder / f"population-{progress.search}"
            self._writers[progress.search] = SummaryWriter(str(folder))
        writer = self._writers[progress.search]
        for name, value in scalars(progress).items():
            writer.add_scalar(name, value, progress.counts.used, walltime=progress.written)
        writer.flush()

    def close(self) -> None:
        """End the files."""
        for writer in self._writers.values():
            writer.close()
