"""Settings: wrong names and values are one line, with the nearest word."""

from typing import ClassVar, Literal

import numpy as np
import pytest
from pydantic import Field

from netstitch.errors import NetstitchError, SearchError
from netstitch.files.settings import Positive, Settings


class Sauce(Settings):
    refusal = SearchError
    removed: ClassVar = {("herb", "hemlock"): "it was removed: give 'basil'"}

    herb: Literal["basil", "thyme"] = Field(default="basil", description="what it tastes of")
    cups: Positive = Field(default=2, description="how much")
    heat: float = Field(default=0.5, ge=0, lt=1, description="how hot")


class Meal(Settings):
    called = "the menu"

    sauce: Sauce = Field(default=Sauce(), description="what is on top")
    guests: list[str] = Field(min_length=1)
    """Who
    eats."""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"herbs": "basil"},
            "Sauce has no setting 'herbs'; did you mean 'herb'? expected one of herb, cups, heat",
        ),
        ({"herb": "basl"}, "herb is 'basl'; did you mean 'basil'? expected 'basil' or 'thyme'"),
        ({"herb": "hemlock"}, "herb is 'hemlock'; it was removed: give 'basil'"),
        ({"cups": 0}, "cups is 0; expected 1 or more"),
        ({"cups": True}, "cups is True; expected a valid integer"),
        ({"heat": float("nan")}, "heat is nan; expected a finite number"),
        ({"heat": 2, "cups": 0}, "cups is 0; expected 1 or more (1 more problem)"),
    ],
)
def test_what_cannot_be_used_is_one_line(given: dict[str, object], message: str) -> None:
    with pytest.raises(SearchError) as caught:
        Sauce(**given)  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"guests": ["a"], "sauce": {"cups": 0}}, "'cups' in [sauce] is 0; expected 1 or more"),
        ({"guests": ["a"], "sauce": {"cup": 1}}, "[sauce] has no setting 'cup'; did you mean 'cup"),
        ({"guests": ["a", 3]}, "value 2 of 'guests' is 3; expected a valid string"),
        ({"guests": []}, "guests is []; expected at least 1, give more"),
        ({}, "the menu lacks the key 'guests'; expected: Who eats"),
        ({"guests": ["a"], "sauce": "red"}, "sauce is 'red'; expected a table"),
    ],
)
def test_a_fault_within_tables_names_the_table(given: dict[str, object], message: str) -> None:
    with pytest.raises(NetstitchError) as caught:
        Meal(**given)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_numbers_of_numpy_are_numbers() -> None:
    found = Sauce(cups=np.int64(3), heat=np.float32(0.25))
    assert (found.cups, found.heat) == (3, 0.25)


def test_changes_are_checked_too() -> None:
    assert Sauce().changed(cups=5) == Sauce(cups=5)
    with pytest.raises(SearchError, match="cups is -1"):
        Sauce().changed(cups=-1)
