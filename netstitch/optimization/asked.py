"""What a search is asked, as plain data: a state belongs to one search and is no other's."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from netstitch.errors import SearchError

_SHOWN = 60
"""Characters of a value that a message quotes."""


def as_plain(value: Any) -> Any:
    """The same with numbers of Python instead of numpy's, and lists for tuples and arrays."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: as_plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(one) for one in value]
    return value


def check_asked(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Raise SearchError, naming the first difference, when two searches are not the same."""
    for name in dict.fromkeys([*ours, *theirs]):
        if ours.get(name) != theirs.get(name):
            raise SearchError(
                f"the state is of another search, with {name} {_short(theirs.get(name))}, not "
                f"{_short(ours.get(name))}: ask the same, or begin anew"
            )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
