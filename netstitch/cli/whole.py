"""Whole numbers as options: 8.7 is refused, where it would be rounded otherwise."""

from collections.abc import Sequence
from typing import Any

from cyclopts import Token

SWEEP = "sweep"
BITS = 64


def parse_whole(kind: Any, tokens: Sequence[Token]) -> int:
    """The number of an option; raises ValueError, which becomes a line, for any other."""
    return _whole(tokens[0].value, "a whole number")


def parse_size(kind: Any, tokens: Sequence[Token]) -> int | str:
    """A population size, or the word for all of them."""
    word = tokens[0].value
    return SWEEP if word == SWEEP else _whole(word, f"a whole number or {SWEEP!r}")


def _whole(word: str, expected: str) -> int:
    try:
        number = int(word)
    except ValueError:
        raise ValueError(f"expected {expected}, not {word!r:.80}") from None
    if not -(2 ** (BITS - 1)) <= number < 2 ** (BITS - 1):
        raise ValueError(f"expected {expected} of {BITS} bits at most, not {word!r:.80}")
    return number
