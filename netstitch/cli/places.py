"""Names of output folders."""

from itertools import count
from pathlib import Path


def free_folder(folder: Path) -> Path:
    """The folder, or the first of folder-2, folder-3, ... that is not there yet."""
    if not folder.exists():
        return folder
    numbered = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    return next(candidate for candidate in numbered if not candidate.exists())
