"""The key with which a user's own runs are signed.

It lies in the user's state folder, readable by nobody else. A key that is damaged, or that others
could have read, counts as none.
"""

import os
import secrets
import stat
import tempfile
from contextlib import closing
from pathlib import Path

import filelock

NAME, BYTES = "key", 32
PATIENCE = 5.0
"""Seconds to wait for another process that makes the key."""


def state_folder() -> Path:
    """Return $XDG_STATE_HOME/netstitch, by default in ~/.local/state; OSError without a home."""
    given = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(given):  # the specification has others ignored
        return Path(given) / "netstitch"
    try:
        return Path.home() / ".local" / "state" / "netstitch"
    except RuntimeError as error:
        raise OSError(str(error)) from error


def read_key() -> bytes | None:
    """Return the key; None where there is none that can be relied on."""
    try:
        # Something else in its place, such as a pipe, must not hold this up.
        number = os.open(state_folder() / NAME, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with closing(os.fdopen(number, "rb")) as file:
            if not _is_private(os.fstat(number)):
                return None
            content = file.read(BYTES + 1)
    except (OSError, ValueError):
        return None
    return content if len(content) == BYTES else None


def make_key() -> bytes:
    """Return the key, made where there is none to rely on; raise OSError where that cannot be."""
    key = read_key()
    if key is not None:
        return key
    folder = state_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = folder / f"{NAME}.lock"
    with filelock.FileLock(lock, timeout=PATIENCE, mode=0o600):
        if read_key() is None:  # else another process made it meanwhile
            _write(folder / NAME, secrets.token_bytes(BYTES))
        lock.unlink(missing_ok=True)  # while it is ours: who comes next finds the key
    key = read_key()
    if key is None:
        raise OSError(f"{folder / NAME} cannot be kept from others")
    return key


def _write(path: Path, key: bytes) -> None:
    number, partial = tempfile.mkstemp(dir=path.parent)  # which only this user may read
    try:
        with os.fdopen(number, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


def _is_private(found: os.stat_result) -> bool:
    if not stat.S_ISREG(found.st_mode):
        return False
    if os.name == "nt":  # whose files have no such modes
        return True
    return found.st_uid == os.getuid() and not found.st_mode & 0o077
