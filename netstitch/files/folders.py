"""Files and folders that are written whole or not at all."""

import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from netstitch.errors import StorageError
from netstitch.files.leftovers import MADE, begin_file, begin_folder, remove_leftovers
from netstitch.text import one_line, printable

LOCK = "run.lock"
"""What a run holds in its folder; alone there, it is left of one that was killed early."""


def as_path(value: Any, what: str = "the folder") -> Path:
    """Return a path given as text or as such; raises StorageError for anything else.

    Args:
        value: The path.
        what: What the message calls it.
    """
    if not isinstance(value, str | os.PathLike):
        raise StorageError(
            f"{what} is {value!r:.80} ({type(value).__name__}); give a path, as text or a "
            "pathlib.Path"
        )
    return Path(value)


def check_new(folder: Path) -> None:
    """Raise StorageError when the folder exists and is not empty, or cannot be looked into.

    What writers that were killed have left in it does not count, and is removed.
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
    """Raise StorageError where a path, or the current folder, has a name that is no text.

    Documents name files, and other machines read them, so that names have to be UTF-8.
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
    """A folder to write into that becomes `folder` at the end, and vanishes on any error.

    Of one whose writer is killed, the next writer in the folder above removes what there is.
    """
    check_new(folder)
    folder = Path(os.path.abspath(folder))  # "." has no name to put another beside
    remove_leftovers(folder.parent)
    try:
        partial, held = begin_folder(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
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
        except OSError as error:
            raise cannot_write(folder, error) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def copy_linked(source: Path, folder: Path) -> None:
    """A new folder with the files of another, which are the same on disk where it has links.

    So no file of either may be changed in place; `write_bytes` and its like put new ones there.
    """
    with new_folder(folder) as partial:
        for path in sorted(source.rglob("*")):
            place = partial / path.relative_to(source)
            if path.is_dir():
                place.mkdir()
                continue
            try:
                os.link(path, place)
            except OSError:  # another disk, or one without links
                shutil.copyfile(path, place)


def cannot_write(path: Path, error: OSError) -> StorageError:
    """The reason in words, such as "no space left on device"."""
    reason = (error.strerror or str(error)).lower()
    return StorageError(f"{path} cannot be written: {reason}; free space or give another place")


def write_bytes(path: Path, content: bytes, *, lasting: bool = True) -> None:
    """Replace a file's content in one step, so that a reader never sees half of it.

    lasting: whether it is on the disk when this returns, and so is there after a power failure.
    """
    check_name(path)
    remove_leftovers(path.parent)
    try:
        partial, held = begin_file(path)
    except OSError as error:
        raise cannot_write(path, error) from error
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
        except OSError as error:
            raise cannot_write(path, error) from error
        finally:
            partial.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # it opens no folders
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def write_text(path: Path, content: str, *, lasting: bool = True) -> None:
    # Names of files that are not UTF-8 are told with question marks.
    write_bytes(path, content.encode(errors="replace"), lasting=lasting)


def write_json(path: Path, document: Any) -> None:
    """Write JSON of plain data; NaN and infinity are refused with a StorageError."""
    try:
        content = json.dumps(document, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StorageError(
            f"{path} cannot be written as JSON ({error}); expected finite numbers and text"
        ) from error
    write_text(path, content + "\n")


def read_json(path: Path, form: str) -> dict[str, Any]:
    """A JSON object whose "format" is `form`; raises StorageError otherwise."""
    check_name(path)
    try:
        text = read_file(path).decode()
        document = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except FileNotFoundError:
        raise StorageError(f"{path} is missing; expected a folder that netstitch wrote") from None
    except (OSError, ValueError, RecursionError) as error:
        raise StorageError(f"{path} cannot be read as JSON ({one_line(error)})") from error
    if not isinstance(document, dict) or document.get("format") != form:
        found = document.get("format") if isinstance(document, dict) else None
        raise StorageError(f"{path} has format {found!r:.80}; this version reads {form!r}")
    return document


def read_file(path: Path) -> bytes:
    """Return a file's content; raises OSError where it cannot be read, or is something else."""
    if path.exists() and not path.is_file():  # a pipe may never end
        raise OSError("it is no file")
    return path.read_bytes()


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")
