"""How far a run is, on the terminal: a line a step, and a bar under it while it works."""

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console as Terminal
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column
from rich.text import Text

from netstitch.optimization import Budget
from netstitch.optimization import Progress as SearchProgress
from netstitch.standing import spent, time_left

BAR = 8
WIDTH = 68
"""Characters for the state of a search, so that it fits behind a bar."""
PAUSE = 30.0
"""Seconds between the lines of a search where there is no terminal to draw a bar on."""


class Console:
    """Reports a run's steps on stderr where that is a terminal, so that stdout holds results only.

    Elsewhere the steps are lines on stdout, so that stderr holds errors only.
    """

    def __init__(
        self, terminal: Terminal | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if terminal is None:
            terminal = Terminal(stderr=True)
            terminal = terminal if terminal.is_terminal else Terminal()
        self.terminal = terminal
        self._clock = clock
        self._said = clock()
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

    def stage(self, text: str) -> None:
        """A new step begins."""
        self._bars.reset(self._bar, total=None, visible=False, note="")
        self.terminal.print(Text(text, style="bold"), soft_wrap=True)
        self._said = self._clock()

    def told(self, text: str) -> None:
        """What the step found."""
        self.terminal.print(Text(f"  {text}"), soft_wrap=True)

    def progress(self, done: int, total: int | None, text: str) -> None:
        """How far the step is."""
        self._bars.update(self._bar, completed=done, total=total, note=text, visible=True)

    def searching(self, progress: SearchProgress, budget: Budget) -> None:
        """How far the search is: rate, time left, and the best so far.

        Where there is no terminal this is a line now and then.
        """
        share = spent(progress, budget)
        note = describe(progress, share)
        self._bars.update(self._bar, completed=share, total=1.0, note=note, visible=True)
        if not self.terminal.is_terminal and self._clock() - self._said >= PAUSE:
            self._said = self._clock()
            self.told(f"{share:.0%}: {note}")


def describe(progress: SearchProgress, share: float) -> str:
    """The state of a search, as much of it as there is room for, the first things first."""
    parts = [f"{progress.evaluated:,} evaluated", f"{progress.rate:.1f}/s"]
    if progress.best is not None:
        parts.append(f"best {100 * progress.best[0]:.2f} %")
    left = time_left(progress, share)
    if left is not None:
        parts.append(f"{duration(left)} left")
    parts.append(f"{progress.idle:.0%} idle")
    if progress.in_flight > 1:
        parts.append(f"{progress.in_flight} under way")
    while len(text := ", ".join(parts)) > WIDTH:
        parts.pop()
    return text


def duration(seconds: float) -> str:
    """About how long, in the unit that a person would use."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
