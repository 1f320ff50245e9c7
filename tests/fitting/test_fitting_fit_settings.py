"""Settings are held against what the function declares, which is the only place that does."""

from pathlib import Path
from typing import Any

import pytest

from netstitch.errors import FittingError
from netstitch.fitting.fit_settings import check_settings, check_threads


def way(
    *,
    rate: float = 0.1,
    count: int = 3,
    seconds: float | None = None,
    place: Path | str | None = None,
    loss: Any = None,
) -> None:
    """Something with settings."""


@pytest.mark.parametrize(
    "settings",
    [
        {"rate": 1, "count": 2, "seconds": None},
        {"seconds": 3, "place": "x", "loss": object()},
        {"place": Path("x")},
    ],
)
def test_settings_that_fit(settings: dict[str, Any]) -> None:
    check_settings("way", way, settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rats": 1}, "way has no setting 'rats': did you mean 'rate'[?] expected one of rate, "),
        ({"rate": "1"}, "rate is '1': expected a number"),
        ({"count": 2.5}, "count is 2.5: expected a whole number"),
        ({"count": None}, "count is None: expected a whole number"),
        ({"seconds": "x"}, "seconds is 'x': expected a number or None"),
        ({"place": 3}, "place is 3: expected a path or text or None"),
        ({"rate": "x", "rats": 1}, "no setting 'rats'"),
    ],
)
def test_settings_that_do_not(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(FittingError, match=message):
        check_settings("way", way, settings)


@pytest.mark.parametrize("threads", [0, "2", 2.0, True])
def test_threads_are_a_whole_number(threads: Any) -> None:
    with pytest.raises(FittingError, match=r"threads is .*: expected a whole number of 1 or more"):
        check_threads(threads)
    check_threads(1)
    check_threads(None)
