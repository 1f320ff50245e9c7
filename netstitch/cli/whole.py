"""Whole numbers as options: 8.7 is refused, where it would be rounded otherwise."""

from collections.abc import Sequence
from typing import Any

from cyclopts import Token

SWEEP = "sweep"


def parse_whole(kind: Any, tokens: Sequence[Token]) -> int:
    """The number of an option; raises ValueError, which becomes a line, for any other."""
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"expected a whole number, not {tokens[0].value!r}") from None


def parse_size(kind: Any, tokens: Sequence[Token]) -> int | str:
    """A population size, or the word for all of them."""
    try:
        return SWEEP if tokens[0].value == SWEEP else int(tokens[0].value)
    except ValueError:
        raise ValueError(f"expected a whole number or {SWEEP!r}, not {tokens[0].value!r}") from None
