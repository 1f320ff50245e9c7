"""Images decoded once, and kept on disk as the arrays that networks read.

Each listing has a folder in the cache, named by a digest of its files' names, the preprocessing and
the version of the decoder; `netstitch.tasks.datasets.decoded_cache` says what is in it. Work that
was stopped goes on where it was, files that changed are decoded again, and the arrays are mapped
into memory: what is not being read takes none.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import filelock
import PIL
import torch
from torch import Tensor

from netstitch.errors import DataError, StorageError
from netstitch.files.folders import cannot_write, write_json
from netstitch.tasks.datasets.decoded_cache import (
    GONE,
    Array,
    Kept,
    Kinds,
    begin,
    bytes_of,
    kinds_of,
    latest,
    remove_older,
    sound,
    states_of,
)
from netstitch.tasks.datasets.given import check_workers, described, path_of
from netstitch.tasks.datasets.image_files import open_image
from netstitch.tasks.datasets.listing import Listing
from netstitch.tasks.datasets.preprocessing import Preprocessing
from netstitch.tasks.samples import Samples
from netstitch.threads import available_cores, quiet

FORMAT = "netstitch-decoded-4"
TOGETHER = 256
"""Images after which what was decoded is written down."""
TOLD_FROM = 100_000_000
"""Bytes on disk that are told before they are taken."""
VOID = 255
"""In a label map: of no class."""

Report = Callable[[int, int], None]
Told = Callable[[str], None]
Values = tuple[Tensor, Tensor | None]


def cache_folder() -> Path:
    """Where decoded images are kept by default: $NETSTITCH_CACHE, or the user's cache folder."""
    own = os.environ.get("NETSTITCH_CACHE")
    if own:
        return Path(os.path.expanduser(own))
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(base)) / "netstitch"


def decode_images(
    listing: Listing,
    transform: Preprocessing,
    *,
    name: str,
    cache: Path | None = None,
    workers: int = 0,
    corrupt: int = 0,
    progress: Report | None = None,
    told: Told | None = None,
) -> Samples:
    """Samples of a listing, in its order; decoded where the cache does not have them yet.

    cache: folder of all of them; by default `cache_folder()`. workers: threads that decode, by
    default one a core (decoding holds no lock of Python's). corrupt: images that are left out, of
    which `told` is told, since they are damaged or not there; more are an error. progress: called
    with (images decoded, all). told: also told how much of the disk will be taken.

    Raises DataError, with the number of such images and the name of one, where there are more than
    allowed, which label maps with class numbers that the listing does not have make too;
    StorageError where the cache cannot be written, or the disk has too little room.
    """
    if not isinstance(listing, Listing) or not isinstance(transform, Preprocessing):
        raise DataError(
            f"{name}: {described(listing)} and {described(transform)} cannot be decoded; expected "
            "a listing, such as netstitch.tasks.image_folder gives, and a Preprocessing"
        )
    check_workers(workers)
    if not listing.files:
        raise DataError(f"{name}: there are no images; expected at least one")
    place = cache_folder() if cache is None else path_of(cache, "a folder")
    folder = place / _digest(listing, transform)
    kinds, states = kinds_of(listing, transform.shape), states_of(listing)
    gone = _gone(listing, states)
    if len(gone) > corrupt:
        _check_damaged(listing, gone, corrupt, name)

    def read(index: int) -> Values:
        return _read(listing, index, transform)

    kept = latest(folder, kinds, "c")
    # What is whole is read without a lock, from disks that cannot be written too.
    if kept is None or kept.unread() or not (kept.states == states).all():
        with _held(folder, listing, transform, name, told):
            kept = _filled(folder, kinds, states, read, name, workers, progress, told)
    damaged = _damages(kept, read)
    if any(reason is None for reason in damaged.values()):  # what was damaged can be read now
        with _held(folder, listing, transform, name, told):
            kept = _fill_anew(folder, kinds, states, read, workers, progress)
        damaged = _damages(kept, read)
    if damaged:
        reasons = {index: reason or "could not be read" for index, reason in damaged.items()}
        _check_damaged(listing, reasons, corrupt, name)
        if told is not None:
            shown = "; ".join(f"{listing.files[i]} {reasons[i]}" for i in sorted(reasons)[:3])
            told(f"{name}: {len(reasons)} of {len(listing)} images are left out: {shown}")
    return _samples(kept, listing, name)


def _samples(kept: Kept, listing: Listing, name: str) -> Samples:
    inputs, masks = kept.tensors()
    if masks is None:
        labels = [listing.labels[index] for index in kept.good()]
        masks = torch.tensor(labels, dtype=torch.int64)
    return Samples(inputs, masks, name, listing.mixed, checked=len(listing.classes))


def _digest(listing: Listing, transform: Preprocessing) -> str:
    digest = hashlib.blake2b(digest_size=16)
    # Whole paths: names in two folders may be equal, of files that are as large and as old.
    files = map(os.path.abspath, (*listing.files, *listing.masks))
    for text in (json.dumps(_about(listing, transform), sort_keys=True), *files):
        digest.update(text.encode(errors="surrogateescape") + b"\0")
    return digest.hexdigest()


def _about(listing: Listing, transform: Preprocessing) -> dict[str, object]:
    return {
        "format": FORMAT,
        "pillow": PIL.__version__,
        "preprocessing": asdict(transform),
        "images": len(listing),
        "classes": len(listing.classes),
        "first": os.path.abspath(listing.files[0]),
    }


@contextmanager
def _held(
    folder: Path, listing: Listing, transform: Preprocessing, name: str, told: Told | None
) -> Iterator[None]:
    """While no other process writes to the folder of a listing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / "lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if told is not None:
                told(f"{name}: another process decodes these images; waiting for it")
            lock.acquire()
        with lock:
            lock.release()  # of the two that are held now, one stays
            if not (folder / "about.json").exists():
                write_json(folder / "about.json", _about(listing, transform))
            yield
    except OSError as error:
        raise cannot_write(folder, error) from error


def _filled(
    folder: Path,
    kinds: Kinds,
    states: Array,
    read: Callable[[int], Values],
    name: str,
    workers: int,
    progress: Report | None,
    told: Told | None,
) -> Kept:
    """The newest generation with all images, gone on with, or a new one where files changed."""
    kept = latest(folder, kinds, "r+")
    if kept is None or not (kept.states == states).all():
        needed, free = bytes_of(kinds), shutil.disk_usage(folder).free
        if needed > free:
            raise StorageError(
                f"{name}: {len(states):,} decoded images take {needed / 1e9:.1f} GB and {folder} "
                f"has {free / 1e9:.1f} GB free; make room, or name another folder with cache in "
                "the table task.images or with $NETSTITCH_CACHE"
            )
        if told is not None and needed >= TOLD_FROM:
            told(
                f"{name}: {len(states):,} images are decoded, once, to {needed / 1e9:.1f} GB in "
                f"{folder}"
            )
        return _fill_anew(folder, kinds, states, read, workers, progress)
    return _fill(kept, folder, kinds, read, workers, progress)


def _fill_anew(
    folder: Path,
    kinds: Kinds,
    states: Array,
    read: Callable[[int], Values],
    workers: int,
    progress: Report | None,
) -> Kept:
    return _fill(begin(folder, kinds, states), folder, kinds, read, workers, progress)


def _fill(
    kept: Kept,
    folder: Path,
    kinds: Kinds,
    read: Callable[[int], Values],
    workers: int,
    progress: Report | None,
) -> Kept:
    """Read what is left, or take it over from older generations, and remove these."""
    older = [one for one in sound(folder, kinds, "c") if one.folder != kept.folder]
    left, total = kept.unread(), len(kept.rows)

    def attempt(index: int) -> tuple[int, Values | None]:
        for one in older:
            if one.rows[index] > 0 and (one.states[index] == kept.states[index]).all():
                return index, one.values(index)
        try:
            return index, read(index)
        except DataError:
            return index, None

    done = total - len(left)
    # Pillow warns of what it reads nevertheless; what it does not read is said in one line.
    with quiet(), ThreadPoolExecutor(workers or available_cores()) as pool:
        for start in range(0, len(left), TOGETHER):
            found = []
            for one in pool.map(attempt, left[start : start + TOGETHER]):
                found.append(one)
                done += 1
                if progress is not None:
                    progress(done, total)
            kept.add(found)
    remove_older(folder, kept)
    # Opened while it is held: who reads without a lock has it, whatever becomes of the folder.
    return Kept(kept.folder, kinds, "c")


def _damages(kept: Kept, read: Callable[[int], Values]) -> dict[int, str | None]:
    """What is wrong with damaged images, by index; None where one can be read now."""
    found: dict[int, str | None] = {}
    for index in kept.damaged():
        try:
            with quiet():
                read(index)
            found[index] = None
        except DataError as error:
            found[index] = str(error)
    return found


def _gone(listing: Listing, states: Array) -> dict[int, str]:
    """Images that are not there, or whose label maps are not, by index."""
    found = {}
    for index in (states == GONE).any(1).nonzero()[0].tolist():
        mask = "" if states[index, 0] == GONE else f"has a label map {listing.masks[index]} that "
        found[index] = f"{mask}is not there; put it back"
    return found


def _read(listing: Listing, index: int, transform: Preprocessing) -> Values:
    """An image and its label map; DataError where one is damaged, or they do not go together."""
    image = open_image(listing.files[index])
    if not listing.masks:
        return transform(image), None
    file = listing.masks[index]
    try:
        shown = open_image(file)
        mask = transform.mask(shown)
    except DataError as error:
        raise DataError(f"has a label map {file} that {error}") from error
    if shown.size != image.size:
        raise DataError(
            f"has {image.size[0]} x {image.size[1]} pixels and its label map {file} "
            f"{shown.size[0]} x {shown.size[1]}; expected as many"
        )
    unknown = mask[(mask >= len(listing.classes)) & (mask != VOID)]
    if len(unknown):
        raise DataError(
            f"has a label map {file} with the class number {int(unknown[0])}; expected 0 to "
            f"{len(listing.classes) - 1}, or {VOID} for pixels that do not count"
        )
    return transform(image), mask


def _check_damaged(listing: Listing, damaged: dict[int, str], corrupt: int, name: str) -> None:
    if len(damaged) == len(listing) or len(damaged) > corrupt:
        first = min(damaged)
        allowed = f", and {corrupt} may be" if corrupt else ""
        raise DataError(
            f"{name}: {len(damaged)} of {len(listing)} images cannot be used{allowed}: "
            f"{listing.files[first]} {damaged[first]}; or allow so many with corrupt = "
            f"{len(damaged)}"
        )
