"""The terminal, and how far a run is on it: a line a step, and a bar under it while it works."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import rich.console
from rich.console import ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.segment import Segment
from rich.table import Column
from rich.text import Text

from netstitch.optimization import Budget
from netstitch.optimization import Progress as SearchProgress
from netstitch.runs.run_log import WARNING, RunLog
from netstitch.searching.search_progress import score_text, spent, time_left
from netstitch.text import duration, printable

BAR = 8
WIDTH = 68
"""Characters for the state of a search, so that it fits behind a bar."""
PAUSE = 30.0
"""Seconds between the lines that say how far a step is, in logs and where there is no terminal."""


class Terminal(rich.console.Console):
    """Prints text as it is: names from elsewhere neither style it nor steer the terminal."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, **settings)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render as rich does, with escapes in the place of control codes in texts."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable(segment.text, keep="\n"), segment.style)


class Console:
    """Reports a run's steps on stderr where that is a terminal, so that stdout holds results only.

    Elsewhere the steps are lines on stdout, so that stderr holds errors only. Every line also goes
    into the log of the run's folder, as soon as that is there.
    """

    def __init__(
        self,
        terminal: rich.console.Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if terminal is None:
            terminal = Terminal(stderr=True)
            terminal = terminal if terminal.is_terminal else Terminal()
        self.terminal = terminal
        self._clock = clock
        self._said = clock()
        self._pace = ConsolePace(clock)
        self._log = RunLog()
        self._warnings: dict[str, None] = {}
        self._bars = Progress(
            TextColumn(" "),
            BarColumn(bar_width=BAR),
            TextColumn("{task.fields[note]}", markup=False, table_column=Column(no_wrap=True)),
            console=self.terminal,
            transient=True,
        )
        self._bar = self._bars.add_task("", total=None, visible=False, note="")

    def __enter__(self) -> "Console":
        if self.terminal.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.terminal.is_terminal:
            self._bars.stop()

    @property
    def warnings(self) -> Sequence[str]:
        """The lines told so far that begin with `WARNING`, each once."""
        return tuple(self._warnings)

    def opened(self, folder: Path) -> None:
        """Keep a log in a run's folder from now on, with what was told before."""
        self._log.open(folder)

    def stage(self, text: str) -> None:
        """Show that a new step begins."""
        self._bars.reset(self._bar, total=None, visible=False, note="")
        self._show(text, "bold")
        self._said = self._clock()
        self._pace = ConsolePace(self._clock)

    def told(self, text: str) -> None:
        """Show what the step found; a warning is shown once."""
        if text.startswith(WARNING):
            if text in self._warnings:
                return
            self._warnings[text] = None
        self._show(f"  {text}", "yellow" if text.startswith(WARNING) else "")

    def progress(self, done: int, total: int | None, text: str) -> None:
        """Show how far the step is: a bar, and, in logs, a line now and then."""
        left = self._pace.left(done, total)
        note = text if left is None else f"{text}, {duration(left)} left"
        self._bars.update(self._bar, completed=done, total=total, note=note, visible=True)
        of = f"{done:,}" if total is None else f"{done / max(total, 1):.0%}"
        self._log_progress(f"{of}: {note}")

    def searching(self, progress: SearchProgress, budget: Budget) -> None:
        """Show how far the search is: rate, time left, and the best so far."""
        share = spent(progress, budget)
        note = describe(progress, share)
        self._bars.update(self._bar, completed=share, total=1.0, note=note, visible=True)
        self._log_progress(f"{share:.0%}: {note}")

    def _log_progress(self, text: str) -> None:
        if self._clock() - self._said < PAUSE:
            return
        self._said = self._clock()
        if self.terminal.is_terminal:  # which has the bar
            self._log.write(f"  {text}")
        else:
            self._show(f"  {text}", "")

    def _show(self, text: str, style: str) -> None:
        text = printable(text)
        self.terminal.print(Text(text, style=style), soft_wrap=True)
        self._log.write(text)


class ConsolePace:
    """How fast a step goes, from where it was first seen."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began: tuple[float, int] | None = None
        self._done = 0

    def left(self, done: int, total: int | None) -> float | None:
        """Return the seconds left, None while they cannot be told.

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


def describe(progress: SearchProgress, share: float) -> str:
    """The state of a search, as much of it as there is room for, the first things first."""
    parts = [f"{progress.evaluated:,} evaluated", f"{progress.rate:.1f}/s"]
    if progress.best is not None:
        [objective, *_] = progress.objectives
        parts.append(f"best {score_text(objective, progress.best[0])}")
    left = time_left(progress, share)
    if left is not None:
        parts.append(f"{duration(left)} left")
    parts.append(f"{progress.idle:.0%} idle")
    if progress.in_flight > 1:
        parts.append(f"{progress.in_flight} under way")
    while len(text := ", ".join(parts)) > WIDTH:
        parts.pop()
    return text
