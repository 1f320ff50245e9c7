"""The terminal, and how far a run is on it: a line a step, and a bar under it while it works."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import rich.console
from rich.console import ConsoleOptions, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.segment import Segment
from rich.table import Column
from rich.text import Text

from netstitch.events import Advanced, Event, Listener, Message, StageBegan, together
from netstitch.runs.listeners import EventLines, RunLog, WarningKeeper
from netstitch.searching.search_progress import SearchAdvanced, spent
from netstitch.text import printable

BAR = 8


class Terminal(rich.console.Console):
    """Prints text as it is: names from elsewhere neither style it nor steer the terminal."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

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
    """A listener that shows a run's steps, on stderr where that is a terminal.

    So stdout holds results only. Where stderr is no terminal the steps are lines on stdout, so that
    stderr holds errors only.
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
        self._lines = EventLines(clock)
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

    def __exit__(self, *error: object) -> None:
        if self.terminal.is_terminal:
            self._bars.stop()

    def __call__(self, event: Event) -> None:
        """Show an event: a line, or how far the step is, as a bar and, in logs, a line at times."""
        line = self._lines.line(event)
        style = ""
        if isinstance(event, StageBegan):
            self._bars.reset(self._bar, total=None, visible=False, note="")
            style = "bold"
        elif isinstance(event, Message):
            style = "yellow" if event.warning else ""
        elif isinstance(event, Advanced | SearchAdvanced):
            self._advance(event)
            if self.terminal.is_terminal:  # which has the bar
                return
        if line is not None:
            self.terminal.print(Text(printable(line), style=style), soft_wrap=True)

    def _advance(self, event: Advanced | SearchAdvanced) -> None:
        if isinstance(event, Advanced):
            done, total = float(event.done), event.total
        else:
            done, total = spent(event.progress, event.budget), 1
        note = self._lines.note
        self._bars.update(self._bar, completed=done, total=total, note=note, visible=True)


@contextmanager
def listening(tensorboard: Path | None = None) -> Iterator[Listener]:
    """Listen to a run: on the console, in its log and, where a folder is given, for TensorBoard."""
    with ExitStack() as stack:
        console = stack.enter_context(Console())
        listeners: list[Listener] = [console, RunLog(), WarningKeeper()]
        if tensorboard is not None:
            from netstitch.runs.listeners import TensorBoard

            listeners.append(stack.enter_context(closing(TensorBoard(tensorboard))))
        yield together(*listeners)
