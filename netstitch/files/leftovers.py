"""Temporary files and folders beside what they will replace, and removing abandoned ones.

A writer locks what it writes, and the system lets the lock go however the process ends. So the next
writer in that folder knows what was abandoned, on shared file systems too, and removes it. Where a
file system has no locks, nothing is removed.
"""

import os
import re
import secrets
import shutil
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

if sys.platform != "win32":
    import fcntl

HELD = "held"
"""The file in a temporary folder that its writer locks."""
MADE = "made"
"""The folder in a temporary folder that will take its place."""
OLD = 3600.0
"""Seconds after which a folder without a lock is abandoned: its writer was killed before that."""

LONGEST = 200
"""Bytes of a name that its temporary file has too; file systems take 255."""

_NAME = re.compile(r"\..+\.[0-9]+-[0-9a-f]{8}\.partial", re.DOTALL)


def begin_file(path: Path) -> tuple[Path, IO[bytes]]:
    """Create a temporary file beside a path; return it, open, locked until it is closed."""
    while True:
        partial = _beside(path)
        file = partial.open("xb")
        if _hold(file, partial):
            return partial, file
        file.close()  # a writer that looked for leftovers just then took it for one


def begin_folder(path: Path) -> tuple[Path, IO[bytes]]:
    """Create a temporary folder with MADE in it, as `begin_file`; the open file is HELD in it."""
    while True:
        partial = _beside(path)
        partial.mkdir(parents=True)
        try:
            file = (partial / HELD).open("xb")
            if _hold(file, partial / HELD):
                (partial / MADE).mkdir()
                return partial, file
            file.close()
        except FileNotFoundError:  # as above
            continue
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def remove_leftovers(folder: Path) -> None:
    """Remove abandoned files and folders from a folder; what cannot be removed stays."""
    if sys.platform == "win32":
        return  # it has other locks, under which files cannot be replaced
    with suppress(OSError):
        found = [one for one in os.scandir(folder) if _NAME.fullmatch(one.name)]
        for one in found:
            with suppress(OSError):
                _remove_left(Path(one.path), is_folder=one.is_dir(follow_symlinks=False))


def _beside(path: Path) -> Path:
    name = path.name.encode()[:LONGEST].decode(errors="ignore")
    return path.with_name(f".{name}.{os.getpid()}-{secrets.token_hex(4)}.partial")


def _hold(file: IO[bytes], path: Path) -> bool:
    """Lock a file, and return False where another process removed it before that."""
    if sys.platform != "win32":
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
    return path.exists()


def _remove_left(path: Path, *, is_folder: bool) -> None:
    if sys.platform == "win32":
        return
    try:
        number = os.open(path / HELD if is_folder else path, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        if is_folder and time.time() - path.stat().st_mtime > OLD:
            shutil.rmtree(path, ignore_errors=True)
        return
    with closing(os.fdopen(number, "rb")) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # OSError: held, or nobody can tell
        if is_folder:
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
