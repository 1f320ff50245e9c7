"""The folder of a run: its files, its lock, and comparing what two runs are asked.

RUN/
  run.json              what was asked (all defaults filled in), versions, times, outcome
  run.lock              held by the process that runs it
  run.log               every line that the run told, with its time
  supernet/             networks, matching, stitches, fit report: `ns.load(RUN)` reads it
  stitches.csv          where each stitch lies, and the error of its fit
  refining.safetensors  how far refining is, while it goes on
  evaluations.sqlite    every evaluation, written as it completed
  search-N.state        how far the search with a population of N is, while it goes on
  progress.json         the same for people, see `netstitch status`
  search.csv            how much was skipped, and how many stitches were in use, over time
  front.json, .csv, .png
  report.html           all of this for people, by the command line
  tensorboard/          scalars, where they are asked for
"""

import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import filelock

from netstitch.errors import StorageError
from netstitch.files.folders import LOCK, cannot_write, check_new

FORMAT = "netstitch-run-6"
RUN_FILE, FRONT_FILE, SUPERNET = "run.json", "front.json", "supernet"
HISTORY_FILE, EVALUATIONS, STITCHES = "search.csv", "evaluations.sqlite", "stitches.csv"
REFINING, TENSORBOARD = "refining.safetensors", "tensorboard"

PATIENCE = 1.0
"""Seconds to wait for a run's lock, which `status` takes for a moment to see whether it is held."""

FREE = (
    "folder",
    "data",
    "cascades.memory",
    *(
        f"evaluation.{key}"
        for key in (
            "executor", "workers", "threads", "device", "cache", "timeout", "address", "temporary",
            "gpus_per_worker",
        )
    ),
)  # fmt: skip
"""Settings that may differ when a run goes on, since they change no number."""
OF_SAMPLES = ("task.class_order", "task.images.mean", "task.images.std")
"""Settings that change samples alone, which are compared by their content."""


def check_place(folder: Path) -> None:
    """Raise StorageError where a new run could not be written to a folder."""
    check_new(folder)
    path = Path(os.path.abspath(folder))
    near = next(each for each in (path, *path.parents) if each.exists())
    reason = "a file" if not near.is_dir() else "not writable"
    if not near.is_dir() or not os.access(near, os.W_OK | os.X_OK):
        raise StorageError(f"{folder} cannot be made: {near} is {reason}; give another folder")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder, which is let go however the process ends.

    Raises StorageError where another process holds it, or the folder is not writable.
    """
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=PATIENCE)
    except filelock.Timeout:
        raise StorageError(
            f"{folder} is being run by another process; wait until it ends, or give another folder"
        ) from None
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)  # while it is ours
        lock.release()


def is_running(folder: Path) -> bool:
    """Return whether a process holds a run's folder."""
    if not (folder / LOCK).exists():
        return False
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    except OSError:  # of somebody else's: it cannot be told
        return False
    lock.release()
    return False


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; raise StorageError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


@contextmanager
def taken(folder: Path) -> Iterator[None]:
    """Make a run's folder and hold its lock.

    An error before run.json exists removes what was written.

    Raises:
        StorageError: The folder is not empty, or another run has it.
    """
    existed = folder.is_dir()
    make_folder(folder)
    try:
        with locked(folder):
            check_new(folder)  # another run may have been here meanwhile
            try:
                yield
            except BaseException:
                if not (folder / RUN_FILE).exists():
                    shutil.rmtree(folder / SUPERNET, ignore_errors=True)
                    (folder / STITCHES).unlink(missing_ok=True)
                raise
    finally:
        if not existed and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def check_same_config(
    folder: Path, before: Mapping[str, object], now: Mapping[str, object]
) -> None:
    """Raise StorageError, naming the first difference, where a run is given other settings now."""
    key = differing(before, now, OF_SAMPLES)
    if key is not None:
        is_now, was = flat(now).get(key), flat(before).get(key)
        raise StorageError(
            f"the run in {folder} was asked something else: {key} is {is_now!r:.80} and was "
            f"{was!r:.80}; give the settings that it began with"
        )


def differing(
    before: Mapping[str, object], now: Mapping[str, object], left_out: Collection[str] = ()
) -> str | None:
    """Return the first key, dotted, with which two runs come to different numbers; None for none.

    Keys in FREE and in `left_out` do not count; the name of a table stands for all of it.
    """
    one, other = flat(before), flat(now)
    ignored = {*FREE, *left_out}
    for key in sorted(one.keys() | other.keys()):
        parts = key.split(".")
        named = {".".join(parts[: length + 1]) for length in range(len(parts))}
        if not named & ignored and one.get(key) != other.get(key):
            return key
    return None


def flat(config: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Return the values of nested tables by dotted names."""
    found: dict[str, object] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return found
