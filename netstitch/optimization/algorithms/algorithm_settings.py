"""What kinds of values an algorithm's settings may have, as its parameters are annotated."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from netstitch.errors import SearchError


@dataclass(frozen=True)
class SettingKind:
    """described: in words, for a message. types: those of its values; flags are no numbers."""

    described: str
    types: tuple[type, ...]

    def holds(self, value: Any) -> bool:
        """Whether a value is of this kind."""
        return isinstance(value, self.types) and (type(value) is not bool or self.flags)

    @property
    def flags(self) -> bool:
        return bool in self.types or object in self.types


FLAG = SettingKind("true or false", (bool,))
WHOLE = SettingKind("a whole number", (int, np.integer))
NUMBER = SettingKind("a number", (int, float, np.number))
NAME = SettingKind("a name", (str,))
NOTHING = SettingKind("nothing", (type(None),))
ANYTHING = SettingKind("anything", (object,))

_KINDS = {bool: FLAG, int: WHOLE, float: NUMBER, str: NAME, type(None): NOTHING}


def settings_of(build: Callable[..., Any]) -> Mapping[str, tuple[SettingKind, ...]]:
    """The parameters of a function or class behind the first, with the kinds of each.

    Of one that is not annotated, or with another type, any value will do.
    """
    hints = _hints(build.__init__ if inspect.isclass(build) else build)
    names = list(inspect.signature(build).parameters)[1:]
    return {name: _kinds(hints.get(name, object)) for name in names}


def _hints(build: Callable[..., Any]) -> Mapping[str, Any]:
    try:
        return get_type_hints(build)
    except (TypeError, NameError):  # of a `partial`, or where a name is not known at run time
        return {}


def _kinds(annotation: Any) -> tuple[SettingKind, ...]:
    if get_origin(annotation) is Literal:
        return (NAME,)
    parts = get_args(annotation) or (annotation,)
    return tuple(_KINDS.get(part, ANYTHING) for part in parts)


Strategy = TypeVar("Strategy")


def named(kind: str, name: str, known: Mapping[str, Strategy]) -> Strategy:
    """The strategy of a name; raises SearchError, naming all that there are, for another."""
    if name not in known:
        names = ", ".join(map(repr, known))
        raise SearchError(f"unknown {kind} {name!r}: expected one of {names}")
    return known[name]
