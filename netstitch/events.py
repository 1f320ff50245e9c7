"""The stream of events that tells what a run does, and how far it is.

Whoever works is given one listener, a function that it calls with each event, in the thread in
which that happens. A console, a log, TensorBoard and a user's own function are listeners.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


class Event:
    """Something that happened."""


@dataclass(frozen=True)
class StageBegan(Event):
    """A step of the work began, such as "fit"."""

    name: str


@dataclass(frozen=True)
class Message(Event):
    """A line about what a step found.

    Attributes:
        text: The line.
        warning: Whether it tells of what may make a result worthless, while the work goes on.
    """

    text: str
    warning: bool = False

    def __str__(self) -> str:
        return f"warning: {self.text}" if self.warning else self.text


@dataclass(frozen=True)
class Advanced(Event):
    """A step got further.

    Attributes:
        done: How much of it is done, in units of its own.
        total: How much there is to do; None where that is not known.
        text: What is being done.
    """

    done: int
    total: int | None
    text: str


@dataclass(frozen=True)
class FolderOpened(Event):
    """The folder of a run is there, and can be written to from now on."""

    folder: Path


Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Do nothing with an event."""


def warn(event: Event) -> None:
    """Issue `warnings.warn` for messages marked as warnings; ignore other events."""
    if isinstance(event, Message) and event.warning:
        warnings.warn(event.text, stacklevel=3)


def together(*listeners: Listener) -> Listener:
    """Return a listener that passes each event to several others, in their order."""

    def listener(event: Event) -> None:
        for one in listeners:
            one(event)

    return listener


ProgressCallback = Callable[[int, int | None, str], None]
"""Called with how much is done, of how much where that is known, and a line of text."""
StepsCallback = Callable[[int, int, str], None]
"""Called with steps done, steps in all, and a line of text."""


def advancing(listener: Listener) -> ProgressCallback:
    """Return a progress callback that sends `Advanced` events to a listener."""
    return lambda done, total, text: listener(Advanced(done, total, text))
