"""The contents of folders: images, further folders, and files that are not read."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netstitch.errors import DataError
from netstitch.tasks.datasets.image_files import holds_several, is_left_behind, is_named_as_image
from netstitch.text import one_line, printable
from netstitch.threads import quiet

SHOWN = 8
"""Kinds of files that are told by name."""

Kinds = Counter[str]
"""The number of files of each kind that are left out."""

Identity = tuple[int, int]
"""Device and number of a file or folder, whatever links lead to it."""


@dataclass(frozen=True)
class Contents:
    """Names and paths of what lies directly in a folder, sorted; hidden files are passed over.

    Attributes:
        images: Paths of files that are named as images, links to files that are gone among them.
        folders: Folders and links to folders.
        others: Names of other files.
    """

    images: list[str]
    folders: list[Path]
    others: list[str]

    @property
    def names(self) -> list[str]:
        """Names of the folders."""
        return [folder.name for folder in self.folders]

    @property
    def kinds(self) -> Kinds:
        """The number of other files of each kind."""
        return Counter(map(kind_of, self.others))


def contents(folder: Path | str) -> Contents:
    """Return the entries of a folder itself; raise DataError where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            shown = [entry for entry in entries if not is_left_behind(entry.name)]
    except OSError as error:
        reason = (error.strerror or one_line(error)).lower()
        raise DataError(
            f"folder {folder} cannot be read: {reason}; correct it or remove it"
        ) from error
    found = Contents([], [], [])
    for entry in sorted(shown, key=lambda entry: entry.name):
        if _is_folder(entry):
            found.folders.append(Path(entry.path))
        elif is_named_as_image(entry.name) and _may_be_opened(entry):
            found.images.append(entry.path)
        else:
            found.others.append(entry.name)
    return found


def images_below(folder: Path, root: Path | None = None) -> tuple[list[str], Kinds]:
    """Return all images in a folder and the folders in it, sorted by path, and what is left out.

    Links are followed, hidden files and folders are passed over (those that `folder` itself lies in
    do not count), and images that are links to files that are gone are listed.

    Args:
        folder: Where to begin.
        root: The folder that the caller was asked for, where `folder` is in it.

    Raises:
        DataError: Where a link leads into a folder above it, or a folder cannot be read.
    """
    images: list[str] = []
    left_out: Kinds = Counter()
    above = _above(root or folder)
    waiting = [(folder, above if root is None else _entered(folder, above))]
    while waiting:
        current, inside = waiting.pop()
        found = contents(current)
        waiting += [(inner, _entered(inner, inside)) for inner in reversed(found.folders)]
        left_out += found.kinds
        for image in found.images:
            with quiet():  # Pillow warns of damage, which is said where the file is opened
                several = holds_several(image)
            if several:
                left_out[f"{kind_of(image)} of several pictures"] += 1
            else:
                images.append(image)
    return sorted(images), left_out


def kind_of(name: str) -> str:
    """Return a file's ending in small letters, or what stands for none."""
    return printable(os.path.splitext(name)[1].lower()) or "without an ending"


def describe_left_out(left_out: Kinds) -> str:
    """Return one sentence on files that are not read, or nothing where there are none."""
    if not left_out:
        return ""
    most = left_out.most_common(SHOWN)
    more = f" and {len(left_out) - SHOWN} more kinds" if len(left_out) > SHOWN else ""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in most)
    files = "file is" if left_out.total() == 1 else "files are"
    return (
        f"{left_out.total():,} {files} not read and left out: {kinds}{more}; convert or move what "
        "are samples"
    )


def check_one_label(files: Sequence[str], labels: Sequence[int], classes: Sequence[str]) -> None:
    """Raise DataError where links or hard links bring one file in under two labels."""
    found = np.array([_identity(file) for file in files], np.uint64).reshape(-1, 2)
    numbers = np.asarray(labels)
    order = np.lexsort((numbers, found[:, 1], found[:, 0]))
    one, other = order[:-1], order[1:]
    same = (found[one] == found[other]).all(1) & (found[one] > 0).any(1)
    twice = np.flatnonzero(same & (numbers[one] != numbers[other]))
    if len(twice):
        first, second = int(one[twice[0]]), int(other[twice[0]])
        raise DataError(
            f"{files[first]} and {files[second]} are the same file, under the classes "
            f"{classes[labels[first]]} and {classes[labels[second]]} ({len(twice)} such); expected "
            "each file in one class, remove the wrong link"
        )


def _above(root: Path) -> frozenset[Identity]:
    """Return a folder and all that it lies in."""
    real = Path(os.path.realpath(root))
    return frozenset(map(_identity, (real, *real.parents)))


def _entered(place: Path, inside: frozenset[Identity]) -> frozenset[Identity]:
    """Return the folders that one is in once a further one is entered."""
    identity = _identity(place)
    if identity in inside:
        raise DataError(
            f"{place} leads to {os.path.realpath(place)}, a folder above it, and so round in a "
            "circle; remove the link"
        )
    return inside | {identity}


def _identity(place: Path | str) -> Identity:
    try:
        state = os.stat(place)
    except OSError:
        return 0, 0  # gone, which is said where it is opened
    return state.st_dev, state.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _may_be_opened(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a file or was one; to open a pipe would wait for ever."""
    try:
        return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))
    except OSError:
        return True
