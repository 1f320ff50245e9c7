"""The stream of events, and who listens to it."""

import warnings

import pytest

from netstitch.events import (
    Advanced,
    Event,
    Message,
    StageBegan,
    advancing,
    ignore,
    together,
    warn,
)


def test_each_listener_hears_of_each_event_in_turn() -> None:
    heard: list[tuple[str, Event]] = []
    listener = together(
        ignore,
        lambda event: heard.append(("one", event)),
        lambda event: heard.append(("two", event)),
    )
    events = [StageBegan("fit"), Message("done")]
    for event in events:
        listener(event)
    assert heard == [(name, event) for event in events for name in ("one", "two")]


def test_a_warning_says_that_it_is_one() -> None:
    assert str(Message("both are the same")) == "both are the same"
    assert str(Message("both are the same", warning=True)) == "warning: both are the same"


def test_progress_is_told_as_an_event() -> None:
    heard: list[Event] = []
    advancing(heard.append)(3, None, "reading")
    assert heard == [Advanced(3, None, "reading")]


def test_of_messages_that_are_warnings_python_warns() -> None:
    with pytest.warns(UserWarning, match="both are the same"):
        warn(Message("both are the same", warning=True))
    with warnings.catch_warnings(record=True) as told:
        for event in (Message("done"), StageBegan("fit"), Advanced(1, 2, "reading")):
            warn(event)
    assert told == []
