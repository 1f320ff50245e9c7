"""The display of a run that goes on, on a terminal and elsewhere."""

import io

import pytest
from rich.console import Console as Terminal

from netstitch.cli.console import BAR, Console
from netstitch.events import Advanced, Message, StageBegan
from netstitch.optimization import Budget, Progress
from netstitch.runs.listeners import StepPace, describe
from netstitch.searching.search_progress import SearchAdvanced, spent
from netstitch.text import duration


def progress(**changes: object) -> Progress:
    values: dict[str, object] = {
        "used": 50,
        "evaluated": 40,
        "failed": 0,
        "skipped": 10,
        "in_flight": 1,
        "elapsed": 10.0,
        "rate": 4.0,
        "idle": 0.02,
        "archived": 7,
        "best": (0.9341, 1e6),
        "objectives": ("accuracy", "multiply_adds"),
    }
    return Progress(**{**values, **changes})  # type: ignore[arg-type]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def console(*, terminal: bool, clock: Clock | None = None) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    shown = Terminal(file=text, force_terminal=terminal, width=80, color_system=None)
    return Console(shown, clock or Clock()), text


def test_rate_best_and_time_left_are_told() -> None:
    share = spent(progress(), Budget(200))
    assert describe(progress(), share) == "40 evaluated, 4.0/s, best 93.41 %, 30 s left, 2% idle"


@pytest.mark.parametrize(
    "budget, share",
    [
        (Budget(100), 0.5),
        (Budget(None, 20.0), 0.5),
        (Budget(1000, 12.5), 0.8),
        (Budget(100, 1000.0), 0.5),
        (Budget(10), 1.0),
    ],
)
def test_of_two_budgets_the_one_that_ends_first_counts(budget: Budget, share: float) -> None:
    assert spent(progress(), budget) == pytest.approx(share)


def test_at_the_start_nothing_is_guessed() -> None:
    at_start = progress(used=0, evaluated=0, elapsed=0.0, rate=0.0, best=None)
    assert describe(at_start, spent(at_start, Budget(200))) == "0 evaluated, 0.0/s, 2% idle"


def test_a_search_for_cross_entropy_shows_that() -> None:
    named = {"objectives": ("cross-entropy", "multiply_adds")}
    line = describe(progress(best=(0.6623, 1e6), **named), 0.25)
    assert line.startswith("40 evaluated, 4.0/s, best cross-entropy 0.412, 30 s left")
    assert "best cross-entropy inf" in describe(progress(best=(0.0, 1e6), **named), 0.25)


def test_of_many_workers_it_is_told_how_busy_they_are() -> None:
    many = progress(in_flight=8, evaluated=4, idle=0.25)
    assert (
        describe(many, 0.25) == "4 evaluated, 4.0/s, best 93.41 %, 30 s left, 25% idle, 8 under way"
    )
    assert describe(progress(in_flight=8, best=None, idle=0.25), 0.25).endswith(
        "30 s left, 25% idle, 8 under way"
    )


def test_the_line_fits_80_columns_in_a_very_long_search() -> None:
    long = progress(used=9_234_567, evaluated=9_234_567, rate=1234.5, elapsed=1e4)
    assert len(describe(long, 0.01)) + BAR + 4 <= 80


@pytest.mark.parametrize(
    "seconds, text",
    [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (5999, "100 min"), (9000, "2.5 h")],
)
def test_durations_in_units_of_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_on_a_terminal_a_bar_stands_under_the_steps_and_goes_again() -> None:
    shown, text = console(terminal=True)
    with shown:
        shown(StageBegan("search"))
        shown(SearchAdvanced(progress(), Budget(200)))
        shown._bars.refresh()
        assert "40 evaluated, 4.0/s, best 93.41 %, 30 s left, 2% idle" in text.getvalue()
        assert "…" not in text.getvalue()
        shown(StageBegan("measure"))
        before = len(text.getvalue())
        shown._bars.refresh()
    assert "evaluated" not in text.getvalue()[before:]


def test_elsewhere_a_search_is_a_line_now_and_then() -> None:
    clock = Clock()
    shown, text = console(terminal=False, clock=clock)
    with shown:
        shown(StageBegan("search"))
        for second in range(100):
            clock.now = float(second)
            shown(SearchAdvanced(progress(), Budget(200)))
        shown(Message("done"))
    assert text.getvalue().splitlines() == [
        "search",
        *["  25%: 40 evaluated, 4.0/s, best 93.41 %, 30 s left, 2% idle"] * 3,
        "  done",
    ]


def test_elsewhere_bars_leave_no_trace() -> None:
    shown, text = console(terminal=False)
    with shown:
        shown(StageBegan("fit"))
        shown(Advanced(3, 10, "reading"))
    assert text.getvalue() == "fit\n"


def test_brackets_and_long_lines_are_left_as_they_are() -> None:
    shown, text = console(terminal=False)
    line = "[bold]" + 30 * "a long name "
    with shown:
        shown(StageBegan(line))
        shown(Message(line))
    assert text.getvalue().splitlines() == [line, f"  {line}"]


def test_elsewhere_a_long_step_is_a_line_now_and_then_with_the_time_left() -> None:
    clock = Clock()
    shown, text = console(terminal=False, clock=clock)
    with shown:
        shown(StageBegan("fit"))
        for second in range(101):
            clock.now = float(second)
            shown(Advanced(second, 200, "reading"))
    assert text.getvalue().splitlines() == [
        "fit",
        "  15%: reading, 3 min left",
        "  30%: reading, 2 min left",
        "  45%: reading, 2 min left",
    ]


def test_the_time_left_counts_from_where_a_step_was_first_seen() -> None:
    clock = Clock()
    pace = StepPace(clock)
    assert pace.left(50, 100) is None  # gone on with: how long the first half took is not known
    clock.now = 10.0
    assert pace.left(60, 100) == 40.0
    assert pace.left(60, None) is None
    clock.now = 20.0
    assert pace.left(0, 10) is None  # another pass
    clock.now = 25.0
    assert pace.left(5, 10) == 5.0


def test_a_warning_is_shown_once() -> None:
    shown, text = console(terminal=False)
    with shown:
        shown(Message("both are the same", warning=True))
        shown(Message("both are the same", warning=True))
        shown(Message("twelve"))
    assert text.getvalue().splitlines() == ["  warning: both are the same", "  twelve"]


def test_what_a_terminal_would_obey_is_shown_as_text() -> None:
    shown, text = console(terminal=True)
    with shown:
        shown(Message("a\x1b]0;owned\x07name \udcff é"))
    assert "a\\x1b]0;owned\\x07name \\xff é" in text.getvalue()
