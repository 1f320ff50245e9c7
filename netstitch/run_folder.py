"""The folder of a run: what is in it, whose it is for now, and whether it still fits its inputs.

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

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import torch

from netstitch.errors import StorageError
from netstitch.folders import LOCK, cannot_write, check_new, read_json, write_json
from netstitch.stitching.saving import STITCHES_FILE
from netstitch.tasks import Samples, Task
from netstitch.version import VERSION

FORMAT = "netstitch-run-2"
RUN_FILE, FRONT_FILE, SUPERNET = "run.json", "front.json", "supernet"
HISTORY_FILE, EVALUATIONS, STITCHES = "search.csv", "evaluations.sqlite", "stitches.csv"
PROGRESS_FILE = "progress.json"

TENSORBOARD = "tensorboard"

PATIENCE = 1.0
"""Seconds to wait for a run's lock, which `status` takes for a moment to see whether it is held."""

FREE = (
    "folder",
    "data",
    *(
        f"evaluation.{key}"
        for key in (
            "executor", "workers", "threads", "device", "cache", "timeout", "address", "temporary",
            "gpus_per_worker",
        )
    ),
)  # fmt: skip
"""Of what a run was asked, what may be otherwise when it goes on: it changes no number."""
OF_SAMPLES = ("task.class_order", "task.images.mean", "task.images.std")
"""What changes samples alone, which are compared by what is in them."""

DIGEST_BYTES = 16
CHUNK = 1 << 24


def check_place(folder: Path) -> None:
    """Raise StorageError where a new run could not be made there, before hours are spent on it."""
    check_new(folder)
    place = Path(os.path.abspath(folder))
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise StorageError(f"{folder} cannot be made: {place} is a file; give another folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise StorageError(f"{folder} cannot be made: {place} is not writable; give another folder")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's folder, alone; it is let go however the process ends.

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
    """Whether a process holds a run's folder."""
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


@contextmanager
def taken(folder: Path) -> Iterator[None]:
    """Make a run's folder, and hold it; another run that wants it ends before it does any work.

    Until run.json is there, nothing in the folder can be gone on with: whatever ends this before
    leaves the folder as it was.
    """
    check_new(folder)
    existed = folder.is_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        with locked(folder):
            check_new(folder)  # another run may have been here meanwhile
            try:
                yield
            except BaseException:
                if not (folder / RUN_FILE).exists():
                    shutil.rmtree(folder / SUPERNET, ignore_errors=True)
                raise
    finally:
        if not existed and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def read_document(folder: Path) -> dict[str, Any]:
    """run.json of a run; raises StorageError where there is none, or it is not whole."""
    document = read_json(folder / RUN_FILE, FORMAT)
    for name in ("asked", "versions", "networks", "samples", "seconds"):
        if not isinstance(document.get(name), dict):
            raise StorageError(
                f"{folder / RUN_FILE} is damaged: it does not say {name!r}; put back a copy"
            )
    warnings = document.get("warnings", [])
    if not isinstance(warnings, list) or not all(isinstance(line, str) for line in warnings):
        raise StorageError(f"{folder / RUN_FILE} is damaged: its warnings are no text")
    if not isinstance(document.get("outcome", {}), dict):
        raise StorageError(f"{folder / RUN_FILE} is damaged: its outcome is none; put back a copy")
    return document


def update_document(folder: Path, changes: Mapping[str, Any]) -> None:
    """Replace parts of run.json."""
    write_json(folder / RUN_FILE, read_document(folder) | dict(changes))


def keep_warnings(folder: Path, warnings: Sequence[str]) -> None:
    """Add to run.json what a run was warned of, each line once."""
    before = read_document(folder).get("warnings", [])
    if set(warnings) - set(before):
        update_document(folder, {"warnings": list(dict.fromkeys([*before, *warnings]))})


def versions() -> dict[str, str]:
    """What decides on the numbers that a run computes."""
    return {"netstitch": VERSION, "torch": torch.__version__}


def network_digests(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Of the networks of the supernet in a run's folder, by name."""
    place = folder / SUPERNET / "networks"
    return {name: files_digest(place / str(index)) for index, name in enumerate(names)}


def sample_digests(task: Task) -> dict[str, str]:
    """Of a task's samples, by part; the training samples in the order in which they were read."""
    parts = {
        "training": task.training,
        "validation": task.validation,
        "confirmation": getattr(task, "confirmation", None),
        "test": task.test,
    }
    return {name: _samples_digest(part) for name, part in parts.items() if part is not None}


def stitches_digest(folder: Path) -> str:
    """Of the stitches of the supernet in a run's folder."""
    return files_digest(folder / SUPERNET / STITCHES_FILE)


def files_digest(place: Path) -> str:
    """Of a file, or of the names and contents of all files in a folder.

    Raises StorageError where one cannot be read.
    """
    found = hashlib.blake2b(digest_size=DIGEST_BYTES)
    try:
        files = sorted(path for path in place.rglob("*") if path.is_file())
        for file in files if place.is_dir() else [place]:
            found.update(f"{file.relative_to(place).as_posix()}\0".encode())
            with file.open("rb") as opened:
                while chunk := opened.read(CHUNK):
                    found.update(chunk)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StorageError(f"{place} cannot be read: {reason}; put it back") from error
    return found.hexdigest()


def check_unchanged(folder: Path, recorded: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise StorageError, naming the first difference, where a run's inputs are others now.

    recorded, now: by kind (such as "networks"), then by name.
    """
    for kind, values in now.items():
        before = recorded.get(kind)
        if not isinstance(before, dict):
            raise StorageError(f"{folder / RUN_FILE} does not say which {kind} the run began with")
        for name in sorted(before.keys() | values.keys()):
            if before.get(name) != values.get(name):
                raise StorageError(_difference(folder, kind, name, before, values))


def check_asked_again(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise StorageError, naming the first difference, where a run is asked something else now.

    Data may have moved, since samples are compared by what is in them, and evaluations may be
    spread another way.
    """
    key = differing(before, now, OF_SAMPLES)
    if key is not None:
        is_now, was = flat(now).get(key), flat(before).get(key)
        raise StorageError(
            f"the run in {folder} was asked something else: {key} is {is_now!r:.80} and was "
            f"{was!r:.80}; give the plan that it began with"
        )


def differing(
    before: Mapping[str, Any], now: Mapping[str, Any], left_out: Collection[str] = ()
) -> str | None:
    """The first key, dotted, in which two askings would give other numbers.

    left_out: keys that do not count, beside those in FREE; a table's name stands for all in it.
    """
    one, other = flat(before), flat(now)
    ignored = {*FREE, *left_out}
    for key in sorted(one.keys() | other.keys()):
        parts = key.split(".")
        named = {".".join(parts[: length + 1]) for length in range(len(parts))}
        if not named & ignored and one.get(key) != other.get(key):
            return key
    return None


def flat(asked: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values of nested tables by dotted names."""
    found: dict[str, Any] = {}
    for key, value in asked.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return found


def _difference(
    folder: Path, kind: str, name: str, before: Mapping[str, Any], now: Mapping[str, Any]
) -> str:
    if kind == "versions":
        return (
            f"{folder} was begun with {name} {before.get(name)}, and this is {now.get(name)}; "
            f"go on with {name} {before.get(name)}, or run anew"
        )
    what = {"networks": f"network {name!r}", "samples": f"the {name} samples"}.get(kind, name)
    change = "are not there any more" if name not in now else "changed since the run began"
    return f"{folder} cannot go on: {what} {change}; put back what there was, or run anew"


def _samples_digest(samples: Samples) -> str:
    found = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for tensor in (samples.inputs, samples.labels):
        found.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        for part in torch.split(tensor, 1024):
            found.update(part.contiguous().numpy().data)
    return found.hexdigest()
