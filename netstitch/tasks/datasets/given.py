"""Checks of arguments as callers give them: each slip becomes one line that says what to give."""

import os
from pathlib import Path

import numpy as np
import torch

from netstitch.errors import DataError


def path_of(path: object, what: str) -> Path:
    """Return the path of a file or folder; raise DataError where it is no path."""
    if not isinstance(path, str | os.PathLike) or "\0" in str(path):
        raise DataError(f"{path!r:.60} is no path; expected that of {what}")
    return Path(path)


def check_limit(limit: object) -> None:
    """Raise DataError unless a limit of samples is a number of them, or None."""
    if limit is not None and not is_count(limit):
        raise DataError(f"a limit of {limit!r} samples is not usable; give 1 or more, or no limit")


def check_workers(workers: object) -> None:
    """Raise DataError unless a number of workers is 0 or more."""
    if workers != 0 and not is_count(workers):
        raise DataError(f"workers is {workers!r:.60}; expected how many decode, 0 or more")


def is_count(value: object) -> bool:
    """Return whether a value is a whole number of 1 or more."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1


def described(value: object) -> str:
    """Return the kind of a value with its article, as a part of a sentence."""
    if value is None:
        return "None"
    if isinstance(value, tuple | list):
        kinds = ", ".join(type(part).__name__ for part in value[:3])
        return f"a {type(value).__name__} ({kinds}{', ...' if len(value) > 3 else ''})"
    return f"{'an' if type(value).__name__[0] in 'aeiouAEIOU' else 'a'} {type(value).__name__}"


def dtype_name(dtype: torch.dtype) -> str:
    """Return the name of a type of numbers, such as "float32"."""
    return str(dtype).removeprefix("torch.")
