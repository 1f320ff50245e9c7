"""Arguments as they were given: slips of the caller become one line that says what is expected."""

import os
from pathlib import Path
from typing import Any

from netstitch.errors import DataError


def path_of(path: Any, what: str) -> Path:
    """Return the path of a file or folder; raises DataError where it is no path."""
    if not isinstance(path, str | os.PathLike) or "\0" in str(path):
        raise DataError(f"{path!r:.60} is no path; expected that of {what}")
    return Path(path)


def described(value: Any) -> str:
    """Return what a value is, as a part of a sentence."""
    if value is None:
        return "None"
    if isinstance(value, tuple | list):
        kinds = ", ".join(type(part).__name__ for part in value[:3])
        return f"a {type(value).__name__} ({kinds}{', ...' if len(value) > 3 else ''})"
    return f"{'an' if type(value).__name__[0] in 'aeiouAEIOU' else 'a'} {type(value).__name__}"
