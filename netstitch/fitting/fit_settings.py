"""Settings that a way of fitting is given by name, held against what its function declares."""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from numbers import Integral, Real
from pathlib import Path
from types import NoneType
from typing import Any, get_args

from netstitch.errors import FittingError
from netstitch.text import expected_one_of

_KINDS: Mapping[Any, tuple[type, str]] = {
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "text"),
    Path: (Path, "a path"),
    NoneType: (NoneType, "None"),
}

REMOVED: Mapping[tuple[str, str], str] = {
    ("method", "sequential"): "it was removed: give 'least-squares', and refine the stitches for "
    "inputs that come through others",
    ("ridge", "held-out"): "it was removed: give a number of 0 or more, or leave it out",
}
"""What replaces a value that a setting of this name could have in earlier versions."""


def check_settings(name: str, function: Callable[..., Any], settings: Mapping[str, Any]) -> None:
    """Raise FittingError for a keyword that a function does not take, or a value of another kind.

    name: what messages call the function. Kinds other than numbers, text and paths are left to it.
    """
    known = {
        key: parameter.annotation
        for key, parameter in signature(function).parameters.items()
        if parameter.kind is Parameter.KEYWORD_ONLY
    }
    for key in settings:
        if key not in known:
            raise FittingError(f"{name} has no setting {key!r}: {expected_one_of(key, known)}")
    for key, value in settings.items():
        if (key, str(value)) in REMOVED:
            raise FittingError(f"{key} is {value!r}: {REMOVED[key, str(value)]}")
        kinds = get_args(known[key]) or (known[key],)
        plain = all(kind in _KINDS for kind in kinds)
        if plain and not any(isinstance(value, _KINDS[kind][0]) for kind in kinds):
            expected = " or ".join(dict.fromkeys(_KINDS[kind][1] for kind in kinds))
            raise FittingError(f"{key} is {value!r:.80}: expected {expected}")


def check_threads(threads: Any) -> None:
    """Raise FittingError unless a number of threads is a whole one of 1 or more, or None."""
    if threads is not None and (type(threads) is not int or threads < 1):
        raise FittingError(f"threads is {threads!r:.80}: expected a whole number of 1 or more")
