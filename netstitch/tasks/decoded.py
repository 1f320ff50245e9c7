"""Images decoded once, and kept on disk as the arrays that networks read.

Each listing has a folder in the cache, named by a digest of its files' names, the preprocessing and
the version of the decoder. In it are the inputs (`inputs.npy`), the label maps where there are any
(`masks.npy`), and of which state of each file they are (`seen.npy`), so that work that was stopped
goes on where it was, and files that changed are decoded again. The arrays are mapped into memory:
what is not being read takes none.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import PIL
import torch
from torch import Tensor

from netstitch.errors import DataError
from netstitch.folders import cannot_write, write_json
from netstitch.tasks.image import open_image
from netstitch.tasks.listing import Listing
from netstitch.tasks.preprocessing import Preprocessing
from netstitch.tasks.samples import Samples
from netstitch.threads import available_cores

FORMAT = "netstitch-decoded-3"
INPUTS, MASKS, SEEN = "inputs.npy", "masks.npy", "seen.npy"
TOGETHER = 256
"""Images after which what was decoded is written down."""
VOID = 255
"""In a label map: of no class."""

Array = np.ndarray[Any, np.dtype[Any]]
Report = Callable[[int, int], None]


def cache_folder() -> Path:
    """Where decoded images are kept by default: $NETSTITCH_CACHE, or the user's cache folder."""
    own = os.environ.get("NETSTITCH_CACHE")
    if own:
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "netstitch"


def decode_images(
    listing: Listing,
    transform: Preprocessing,
    *,
    name: str,
    cache: Path | None = None,
    workers: int = 0,
    corrupt: int = 0,
    progress: Report | None = None,
    told: Callable[[str], None] | None = None,
) -> Samples:
    """Samples of a listing, in its order; decoded where the cache does not have them yet.

    cache: folder of all of them; by default `cache_folder()`. workers: threads that decode, by
    default one a core (decoding holds no lock of Python's). corrupt: damaged images that are left
    out, of which `told` is told; more are an error. progress: called with (images decoded, all).

    Raises DataError, with the number of damaged images and the name of one, where there are more
    than allowed, for a file that is missing, and for label maps with class numbers that the listing
    does not have; StorageError where the cache cannot be written.
    """
    if not listing.files:
        raise DataError(f"{name}: there are no images; expected at least one")
    cache = cache or cache_folder()
    with _held(cache, listing, transform, name, told) as folder:
        kept = _Kept(folder, listing, transform)

        def read(index: int) -> None:
            kept.put(index, *_read(listing, index, transform))

        damaged = _fill(kept, read, workers or available_cores(), progress)
    if not damaged:
        return kept.samples(name)
    _check_damaged(listing, damaged, corrupt, name)
    if told is not None:
        shown = "; ".join(f"{listing.files[i]} {damaged[i]}" for i in sorted(damaged)[:3])
        told(f"{name}: {len(damaged)} of {len(listing)} images are left out: {shown}")
    good = [index for index in range(len(listing)) if index not in damaged]
    rest = listing.taken(good)
    with _held(cache, rest, transform, name, told) as folder:
        whole = _Kept(folder, rest, transform)
        _fill(whole, lambda row: whole.put(row, *kept.row(good[row])), 1, None)
    return whole.samples(name)


@contextmanager
def _held(
    cache: Path,
    listing: Listing,
    transform: Preprocessing,
    name: str,
    told: Callable[[str], None] | None,
) -> Iterator[Path]:
    """The folder of a listing, while no other process writes to it."""
    about = {
        "format": FORMAT,
        "pillow": PIL.__version__,
        "preprocessing": asdict(transform),
        "images": len(listing),
        "first": os.path.abspath(listing.files[0]),
    }
    digest = hashlib.blake2b(digest_size=16)
    # Whole paths: names in two folders may be equal, of files that are as large and as old.
    files = map(os.path.abspath, (*listing.files, *listing.masks))
    for text in (json.dumps(about, sort_keys=True), *files):
        digest.update(text.encode(errors="surrogateescape") + b"\0")
    folder = cache / digest.hexdigest()
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
                write_json(folder / "about.json", about)
            yield folder
    except OSError as error:
        raise cannot_write(folder, error) from error


class _Kept:
    """The arrays of a listing on disk."""

    def __init__(self, folder: Path, listing: Listing, transform: Preprocessing) -> None:
        count, self._folder = len(listing), folder
        shapes: dict[str, tuple[tuple[int, ...], Any]] = {
            INPUTS: ((count, *transform.shape), np.float32)
        }
        if listing.masks:
            shapes[MASKS] = ((count, transform.size, transform.size), np.uint8)
        # What is noted goes before an array that was lost or cut is made anew: stopped in between,
        # nothing says that there are images in it.
        if not all(_is_whole(folder / name, *kind) for name, kind in shapes.items()):
            (folder / SEEN).unlink(missing_ok=True)
        self._listing = listing
        self._inputs = _mapped(folder / INPUTS, *shapes[INPUTS])
        self._masks = _mapped(folder / MASKS, *shapes[MASKS]) if listing.masks else None
        self._seen = _mapped(folder / SEEN, (count, 4), np.int64)
        self._states = _states(listing)

    def missing(self) -> list[int]:
        """Indices of images that are not there as their files are now."""
        return np.flatnonzero((self._seen != self._states).any(1)).tolist()

    def put(self, index: int, inputs: Tensor, mask: Tensor | None) -> None:
        self._inputs[index] = inputs.numpy()
        if self._masks is not None and mask is not None:
            self._masks[index] = mask.numpy()

    def row(self, index: int) -> tuple[Tensor, Tensor | None]:
        mask = None if self._masks is None else torch.from_numpy(self._masks[index])
        return torch.from_numpy(self._inputs[index]), mask

    def note(self, indices: list[int]) -> None:
        """Write down that these are there; the arrays first, should the power fail."""
        for array in (self._inputs, self._masks):
            if isinstance(array, np.memmap):
                array.flush()
        self._seen[indices] = self._states[indices]
        self._seen.flush()

    def samples(self, name: str) -> Samples:
        """What is written into these tensors does not reach the disk."""
        inputs, mixed = _private(self._folder / INPUTS), self._listing.mixed
        if self._masks is not None:
            return Samples(inputs, _private(self._folder / MASKS), name, mixed)
        return Samples(inputs, torch.tensor(self._listing.labels, dtype=torch.int64), name, mixed)


def _private(path: Path) -> Tensor:
    return torch.from_numpy(np.lib.format.open_memmap(path, mode="c"))


def _is_whole(path: Path, shape: tuple[int, ...], dtype: Any) -> bool:
    """Whether a file holds an array of this shape, to its end; the file is not changed."""
    # Mapping with "r" refuses a file that was cut; with "r+" it would be made longer.
    with suppress(FileNotFoundError, ValueError, TypeError, SyntaxError, EOFError):
        found = np.lib.format.open_memmap(path, mode="r")
        return bool(found.shape == shape and found.dtype == dtype)
    return False


def _mapped(path: Path, shape: tuple[int, ...], dtype: Any) -> np.memmap[Any, Any]:
    """The array in a file, mapped; made of zeros where there is none of this shape."""
    if _is_whole(path, shape, dtype):
        return np.lib.format.open_memmap(path, mode="r+")
    made = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):  # else a full disk would end the process, not the run
        with path.open("r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as error:
                path.unlink()
                raise OSError(error.errno, error.strerror, str(path)) from error
    return made


def _states(listing: Listing) -> Array:
    """(n, 4): size and time of change of each image, and of its label map."""
    states = np.zeros((len(listing), 4), np.int64)
    for column, files in ((0, listing.files), (2, listing.masks)):
        for index, file in enumerate(files):
            try:
                found = os.stat(file)
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise DataError(f"{file} cannot be read: {reason}; put it back") from error
            # One more than the size: rows of zeros are of what is not there.
            states[index, column : column + 2] = found.st_size + 1, found.st_mtime_ns
    return states


def _fill(
    kept: _Kept, read: Callable[[int], None], workers: int, progress: Report | None
) -> dict[int, str]:
    """Read what is missing; what is wrong with images that cannot be read, by index."""
    left = kept.missing()
    total = len(kept._listing)
    damaged: dict[int, str] = {}

    def attempt(index: int) -> bool:
        try:
            read(index)
        except DataError as error:
            damaged[index] = str(error)
        return index not in damaged

    done = total - len(left)
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(left), TOGETHER):
            part = left[start : start + TOGETHER]
            found = []
            for index, good in zip(part, pool.map(attempt, part), strict=True):
                found += [index] if good else []
                done += 1
                if progress is not None:
                    progress(done, total)
            kept.note(found)
    return damaged


def _read(listing: Listing, index: int, transform: Preprocessing) -> tuple[Tensor, Tensor | None]:
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
