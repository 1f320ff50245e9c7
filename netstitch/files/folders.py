"""Writing files and folders whole or not at all, and reading JSON."""

import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from netstitch.errors import StorageError
from netstitch.files.leftovers import MADE, begin_file, begin_folder, remove_leftovers
from netstitch.text import one_line, printable

LOCK = "run.lock"
"""The lock of a run in its folder; alone there, it is left of a run that was killed early."""


def as_path(value: object, what: str = "the folder") -> Path:
    """Return a path given as text or as such; raises StorageError, naming `what`, for others."""
    if not isinstance(value, str | os.PathLike):
        raise StorageError(
            f"{what} is {value!r:.80} ({type(value).__name__}); give a path, as text or a "
            "pathlib.Path"
        )
    return Path(value)


def check_new(folder: Path) -> None:
    """Raise StorageError where a folder exists and is not empty, or cannot be read.

    What writers that were killed have left in it is removed first.
    """
    check_name(folder)
    try:
        if folder.is_dir():
            remove_leftovers(folder)
        if folder.exists() and not folder.is_dir():
            raise StorageError(f"{folder} is a file; give the name of a new folder")
        if folder.is_dir() and any(path.name != LOCK for path in folder.iterdir()):
            raise StorageError(
                f"{folder} exists and is not empty; give another folder, or empty it"
            )
    except OSError as error:
        raise cannot_write(folder, error) from error


def check_name(path: Path | str) -> None:
    """Raise StorageError where a path, or the current folder, is not UTF-8.

    Documents name files, and other machines read them.
    """
    full = os.path.abspath(path)
    if "\0" in full:
        raise StorageError(f"{printable(full)}: a name cannot have the byte 0; give another name")
    try:
        full.encode()
    except UnicodeEncodeError:
        raise StorageError(
            f"{printable(full)} has a name that is not UTF-8; rename it, or give another place"
        ) from None


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write into, which becomes `folder` at the end and vanishes on any error.

    What a writer leaves that is killed is removed by the next one in the folder above.
    """
    check_new(folder)
    folder = Path(os.path.abspath(folder))  # "." has no name to put another beside
    remove_leftovers(folder.parent)
    try:
        partial, held = begin_folder(folder)
        with held:
            try:
                made = partial / MADE
                yield made
                for path in [*made.rglob("*"), made]:
                    flush(path)
                if folder.is_dir():
                    folder.rmdir()
                os.replace(made, folder)
                flush(folder.parent)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def copy_linked(source: Path, folder: Path) -> None:
    """Make a new folder of links to another's files, or of copies where the disk has no links.

    So no file of either may be changed in place; `write_bytes` and its like put new ones there.
    """
    with new_folder(folder) as partial:
        for path in sorted(source.rglob("*")):
            target = partial / path.relative_to(source)
            if path.is_dir():
                target.mkdir()
                continue
            try:
                os.link(path, target)
            except OSError:  # another disk, or one without links
                shutil.copyfile(path, target)


def cannot_write(path: Path, error: OSError) -> StorageError:
    """Return the error of a path that cannot be written, with the system's reason."""
    reason = (error.strerror or str(error)).lower()
    return StorageError(f"{path} cannot be written: {reason}; free space or give another place")


def write_bytes(path: Path, content: bytes, *, lasting: bool = True) -> None:
    """Replace a file's content in one step, so that a reader never sees half of it.

    A lasting write waits until it is on the disk, where it outlasts a power failure.
    """
    check_name(path)
    remove_leftovers(path.parent)
    try:
        partial, held = begin_file(path)
        with held:
            try:
                partial.write_bytes(content)
                if lasting:
                    flush(partial)
                if os.name == "nt":
                    held.close()  # it replaces no open files
                os.replace(partial, path)
                if lasting:
                    flush(path.parent)
            finally:
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def flush(path: Path) -> None:
    """Wait until a file, or the list of a folder's files, is on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # it opens no folders
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def write_text(path: Path, content: str, *, lasting: bool = True) -> None:
    """Replace a file's text as `write_bytes` does; what is no Unicode becomes question marks."""
    write_bytes(path, content.encode(errors="replace"), lasting=lasting)


def write_json(path: Path, document: object) -> None:
    """Replace a file with plain data as JSON; raise StorageError for NaN and infinity."""
    try:
        content = json.dumps(document, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StorageError(
            f"{path} cannot be written as JSON ({error}); expected finite numbers and text"
        ) from error
    write_text(path, content + "\n")


def read_json(path: Path, *forms: str) -> dict[str, object]:
    """Return a JSON object whose "format" is one of `forms`; StorageError for anything else."""
    check_name(path)
    try:
        text = read_file(path).decode()
        document = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except FileNotFoundError:
        raise StorageError(f"{path} is missing; expected a folder that netstitch wrote") from None
    except NotADirectoryError:
        text = f"{path.parent} is a file; expected a folder that netstitch wrote"
        raise StorageError(text) from None
    except (OSError, ValueError, RecursionError) as error:
        raise StorageError(f"{path} cannot be read as JSON ({one_line(error)})") from error
    if not isinstance(document, dict) or document.get("format") not in forms:
        found = document.get("format") if isinstance(document, dict) else None
        known = " or ".join(map(repr, forms))
        raise StorageError(f"{path} has format {found!r:.80}; this version reads {known}")
    return document


def read_file(path: Path) -> bytes:
    """Return a file's content; raise OSError where it cannot be read, or is no file."""
    if path.exists() and not path.is_file():  # a pipe may never end
        raise OSError("it is no file")
    return path.read_bytes()


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")
