"""Listeners that keep what a run tells: its lines in run.log, and its warnings in run.json."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from netstitch.events import Event, FolderOpened, Message
from netstitch.records import keep_warnings
from netstitch.runs.event_lines import EventLines
from netstitch.text import printable

LOG_FILE = "run.log"


class RunLog:
    """A listener that appends every line, with the time, to a log in the run's folder.

    Lines are kept until the folder is there. A log that cannot be written is given up: it never
    ends a run.
    """

    def __init__(
        self,
        now: Callable[[], datetime] = datetime.now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._lines = EventLines(clock)
        self._waiting: list[str] = []
        self._opened = False
        self._file: Path | None = None

    def __call__(self, event: Event) -> None:
        """Write down an event."""
        if isinstance(event, FolderOpened):
            self._open(event.folder)
            return
        line = self._lines.line(event)
        if line is None:
            return
        text = f"{self._now().isoformat(sep=' ', timespec='seconds')} {printable(line)}\n"
        if self._opened:
            self._append(text)
        else:
            self._waiting.append(text)

    def _open(self, folder: Path) -> None:
        self._opened, self._file = True, folder / LOG_FILE
        self._append("".join(self._waiting))
        self._waiting.clear()

    def _append(self, text: str) -> None:
        if self._file is None or not text:
            return
        try:
            with self._file.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError:
            self._file = None


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
