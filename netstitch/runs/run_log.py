"""The log of a run: every line that it told, with the time, in a file of its folder."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

LOG_FILE = "run.log"

WARNING = "warning: "
"""How a line begins that tells of what may make a result worthless, while the run goes on."""


class RunLog:
    """Keeps lines until the run's folder is there, and appends them to its log from then on.

    A log that cannot be written is given up: it never ends a run.
    """

    def __init__(self, now: Callable[[], datetime] = datetime.now) -> None:
        self._now = now
        self._waiting: list[str] | None = []
        self._file: Path | None = None

    def open(self, folder: Path) -> None:
        """Append what is waiting, and every later line, to the log of this folder."""
        self._file = folder / LOG_FILE
        waiting, self._waiting = self._waiting, None
        self._append("".join(waiting or ()))

    def write(self, text: str) -> None:
        """Add a line."""
        line = f"{self._now().isoformat(sep=' ', timespec='seconds')} {text}\n"
        if self._waiting is not None:
            self._waiting.append(line)
        else:
            self._append(line)

    def _append(self, text: str) -> None:
        if self._file is None or not text:
            return
        try:
            with self._file.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError:
            self._file = None
