"""The log of a run: its events as lines in run.log, and its warnings in run.json."""

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
    ends a run. Warnings go into run.json too.
    """

    def __init__(
        self,
        now: Callable[[], datetime] = datetime.now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._lines = EventLines(clock)
        self._waiting: list[str] = []
        self._warnings: dict[str, None] = {}
        self._folder: Path | None = None
        self._file: Path | None = None

    def __call__(self, event: Event) -> None:
        """Write down an event."""
        if isinstance(event, FolderOpened):
            self._open(event.folder)
            return
        line = self._lines.line(event)
        if line is None:
            return
        if isinstance(event, Message) and event.warning:
            self._warnings[str(event)] = None
            if self._folder is not None:
                keep_warnings(self._folder, [str(event)])
        text = f"{self._now().isoformat(sep=' ', timespec='seconds')} {printable(line)}\n"
        if self._folder is None:
            self._waiting.append(text)
        else:
            self._append(text)

    def _open(self, folder: Path) -> None:
        self._folder, self._file = folder, folder / LOG_FILE
        self._append("".join(self._waiting))
        self._waiting.clear()
        if self._warnings:
            keep_warnings(folder, tuple(self._warnings))

    def _append(self, text: str) -> None:
        if self._file is None or not text:
            return
        try:
            with self._file.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError:
            self._file = None
