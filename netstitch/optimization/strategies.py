"""Strategies by name, as the settings of an algorithm give them."""

from collections.abc import Mapping
from typing import TypeVar

from netstitch.errors import SearchError

Strategy = TypeVar("Strategy")


def named(kind: str, name: str, known: Mapping[str, Strategy]) -> Strategy:
    """The strategy of a name; raises SearchError, naming all that there are, for another."""
    if name not in known:
        names = ", ".join(map(repr, known))
        raise SearchError(f"unknown {kind} {name!r}: expected one of {names}")
    return known[name]
