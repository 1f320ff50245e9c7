"""The images in a folder and the folders in it, and what lies there that is not read."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from netstitch.errors import DataError
from netstitch.tasks.datasets.image_files import holds_several, is_left_behind, is_named_as_image
from netstitch.text import one_line, printable
from netstitch.threads import quiet

SHOWN = 8
"""Kinds that are told by name."""

Kinds = Counter[str]
"""How many files of each kind are left out."""

Identity = tuple[int, int]
"""Device and number of a file or folder, whatever links lead to it."""


def images_below(folder: Path, root: Path | None = None) -> tuple[list[str], Kinds]:
    """Return all images in a folder and the folders in it, sorted by path, and what is left out.

    Links are followed, hidden files and folders are passed over (those that `folder` itself lies in
    do not count), and images that are links to files that are gone are listed.

    root: the folder that was asked for, where `folder` is in it.

    Raises DataError where a link leads into a folder above it, or a folder cannot be read.
    """
    images: list[str] = []
    left_out: Kinds = Counter()
    above = _above(root or folder)
    pending = [(str(folder), above if root is None else _entered(str(folder), above))]
    while pending:
        place, inside = pending.pop()
        for entry in _entries(place):
            if is_left_behind(entry.name):
                continue
            if _is_folder(entry):
                pending.append((entry.path, _entered(entry.path, inside)))
            elif not is_named_as_image(entry.name) or not _may_be_opened(entry):
                left_out[kind_of(entry.name)] += 1
            elif _holds_several(entry.path):
                left_out[f"{kind_of(entry.name)} of several pictures"] += 1
            else:
                images.append(entry.path)
    return sorted(images), left_out


def kinds_in(folders: Iterable[Path]) -> Kinds:
    """Return what lies directly in folders and is no image, hidden files and folders aside."""
    return Counter(
        kind_of(entry.name)
        for folder in folders
        for entry in _entries(str(folder))
        if not is_left_behind(entry.name)
        and not is_named_as_image(entry.name)
        and not _is_folder(entry)
    )


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
    """A folder and all that it lies in."""
    real = Path(os.path.realpath(root))
    return frozenset(map(_identity, (real, *real.parents)))


def _entered(place: str, inside: frozenset[Identity]) -> frozenset[Identity]:
    """The folders that one is in once a further one is entered."""
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


def _entries(place: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(place) as entries:
            return list(entries)
    except OSError as error:
        reason = (error.strerror or one_line(error)).lower()
        raise DataError(
            f"folder {place} cannot be read: {reason}; correct it or remove it"
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _holds_several(file: str) -> bool:
    with quiet():  # Pillow warns of damage, which is said where the file is opened
        return holds_several(file)


def _may_be_opened(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file or was one; to open a pipe would wait for ever."""
    try:
        return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))
    except OSError:
        return True
