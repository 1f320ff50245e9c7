"""The kinds of values that an algorithm's settings may have, as its parameters are annotated."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from netstitch.errors import SearchError


@dataclass(frozen=True)
class SettingKind:
    """A kind of value.

    Attributes:
        described: The kind in words, for a message.
        types: The types of its values; flags are no numbers.
    """

    described: str
    types: tuple[type, ...]

    def holds(self, value: Any) -> bool:
        """Return whether a value is of this kind."""
        flags = bool in self.types or object in self.types
        return isinstance(value, self.types) and (flags or type(value) is not bool)


FLAG = SettingKind("true or false", (bool,))
WHOLE = SettingKind("a whole number", (int, np.integer))
NUMBER = SettingKind("a number", (int, float, np.number))
NAME = SettingKind("a name", (str,))
NOTHING = SettingKind("nothing", (type(None),))
ANYTHING = SettingKind("anything", (object,))

_KINDS = {bool: FLAG, int: WHOLE, float: NUMBER, str: NAME, type(None): NOTHING}


def settings_of(build: Callable[..., Any]) -> Mapping[str, tuple[SettingKind, ...]]:
    """Return the parameters of a function or class behind the first, with the kinds of each.

    Keywords of a TypedDict count as parameters. Where one is not annotated, or with another type,
    any value will do.
    """
    hints = _hints(build.__init__ if inspect.isclass(build) else build)
    found: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(build).parameters.items())[1:]:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD and get_origin(hints.get(name)):
            found |= get_type_hints(get_args(hints[name])[0])
        else:
            found[name] = hints.get(name, object)
    return {name: _kinds(annotation) for name, annotation in found.items()}


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
    """Return the strategy of a name; raise SearchError, naming all that there are, for another."""
    if name not in known:
        names = ", ".join(map(repr, known))
        raise SearchError(f"unknown {kind} {name!r}: expected one of {names}")
    return known[name]
