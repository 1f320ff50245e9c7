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
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import filelock
import PIL
import torch

from netstitch.errors import DataError, StorageError
from netstitch.events import Advanced, Listener, Message, ignore
from netstitch.files.folders import cannot_write, write_json
from netstitch.tasks.datasets.decoded_cache import (
    GONE,
    ArrayKinds,
    Decoded,
    Generation,
    States,
    begin,
    bytes_of,
    kinds_of,
    remove_older,
    sound,
    states_of,
)
from netstitch.tasks.datasets.given import check_workers, described, path_of
from netstitch.tasks.datasets.image_files import open_image
from netstitch.tasks.datasets.listing import Listing
from netstitch.tasks.datasets.preprocessing import Preprocessing
from netstitch.tasks.samples import VOID, Samples, unknown_class
from netstitch.threads import available_cores, quiet

FORMAT = "netstitch-decoded-5"
TOGETHER = 256
"""Images after which what was decoded is written down."""
TOLD_FROM = 100_000_000
"""Bytes on disk that are told before they are taken."""
READABLE = "could not be read"
"""The fault of an image that can be read after all."""


def cache_folder() -> Path:
    """Return the folder of decoded images: $NETSTITCH_CACHE, or one in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(os.environ.get("NETSTITCH_CACHE") or f"{base}/netstitch"))


def decode_images(
    listing: Listing,
    transform: Preprocessing,
    *,
    name: str,
    cache: Path | None = None,
    workers: int = 0,
    corrupt: int = 0,
    listener: Listener = ignore,
) -> Samples:
    """Return the samples of a listing in its order, decoded where the cache does not have them.

    Args:
        listing: The images.
        transform: From an image to an input.
        name: The samples' name in messages.
        cache: Folder of all decoded images; by default `cache_folder()`.
        workers: Threads that decode, by default one a core (decoding holds no lock of Python's).
        corrupt: Images that may be left out since they are damaged or not there; more are an
            error.
        listener: Told how many are decoded, which are left out, and of room taken on the disk.

    Raises:
        DataError: Where more images are damaged than allowed, with their number and the name of
            one; label maps with class numbers that the listing does not have are damaged too.
        StorageError: Where the cache cannot be written, or the disk has too little room.
    """
    if not isinstance(listing, Listing) or not isinstance(transform, Preprocessing):
        raise DataError(
            f"{name}: {described(listing)} and {described(transform)} cannot be decoded; expected "
            "a listing, such as netstitch.tasks.image_folder gives, and a Preprocessing"
        )
    check_workers(workers)
    if not listing.files:
        raise DataError(f"{name}: there are no images; expected at least one")
    root = cache_folder() if cache is None else path_of(cache, "a folder")
    decoder = _Decoder(listing, transform, root, name, workers, listener)
    decoder.check_damaged(decoder.gone(), corrupt)
    generation = decoder.decoded()
    damaged = decoder.damages(generation)
    if READABLE in damaged.values():
        generation = decoder.decoded(anew=True)
        damaged = decoder.damages(generation)
    decoder.check_damaged(damaged, corrupt)
    if damaged:
        shown = "; ".join(f"{listing.files[i]} {damaged[i]}" for i in sorted(damaged)[:3])
        listener(Message(f"{name}: {len(damaged)} of {len(listing)} images are left out: {shown}"))
    inputs, *maps = generation.tensors()
    labels = torch.tensor([listing.labels[i] for i in generation.good()], dtype=torch.int64)
    labels = maps[0] if maps else labels
    return Samples(inputs, labels, name, listing.mixed, checked=len(listing.classes))


@dataclass(frozen=True)
class _Decoder:
    """A listing and its folder in the cache; the arguments are those of `decode_images`."""

    listing: Listing
    transform: Preprocessing
    cache: Path
    name: str
    workers: int
    listener: Listener

    @cached_property
    def folder(self) -> Path:
        """The listing's folder."""
        digest = hashlib.blake2b(digest_size=16)
        # Whole paths: names in two folders may be equal, of files that are as large and as old.
        files = map(os.path.abspath, (*self.listing.files, *self.listing.masks))
        for text in (json.dumps(self._about, sort_keys=True), *files):
            digest.update(text.encode(errors="surrogateescape") + b"\0")
        return self.cache / digest.hexdigest()

    @cached_property
    def kinds(self) -> ArrayKinds:
        """The arrays of the listing's images."""
        return kinds_of(self.listing, self.transform.shape)

    @cached_property
    def states(self) -> States:
        """The states of the files as they were when they were first looked at."""
        return states_of(self.listing)

    @property
    def _about(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            "pillow": PIL.__version__,
            "preprocessing": {
                name: getattr(self.transform, name) for name in Preprocessing.model_fields
            },
            "images": len(self.listing),
            "classes": len(self.listing.classes),
            "first": os.path.abspath(self.listing.files[0]),
        }

    def gone(self) -> dict[int, str]:
        """Return the images that are not there, or whose label maps are not, by index."""
        found = {}
        for index in (self.states == GONE).any(1).nonzero()[0].tolist():
            alone = self.states[index, 0] == GONE
            mask = "" if alone else f"has a label map {self.listing.masks[index]} that "
            found[index] = f"{mask}is not there; put it back"
        return found

    def decoded(self, *, anew: bool = False) -> Generation:
        """Return all images, what is not in the cache decoded, and with `anew` what is damaged.

        What is whole is read without a lock, from disks that cannot be written too.
        """
        whole = None if anew else self._latest("c")
        if whole is not None and not whole.unread():
            return whole
        with self._held():
            begun = None if anew else self._latest("r+")
            if begun is None:
                self._check_room()
                begun = begin(self.folder, self.kinds, self.states)
            self._fill(begun)
            remove_older(self.folder, begun)
            # Opened while it is held: who reads without a lock has it, whatever becomes of it.
            return Generation(begun.folder, self.kinds, "c")

    def damages(self, generation: Generation) -> dict[int, str]:
        """Return the faults of damaged images, by index."""
        found = {}
        for index in generation.damaged():
            try:
                with quiet():
                    self._read(index)
                found[index] = READABLE
            except DataError as error:
                found[index] = str(error)
        return found

    def check_damaged(self, damaged: Mapping[int, str], corrupt: int) -> None:
        """Raise DataError where more images are damaged than may be, or all are."""
        total = len(self.listing)
        if len(damaged) == total or len(damaged) > corrupt:
            first = min(damaged)
            allowed = f", and {corrupt} may be" if corrupt else ""
            raise DataError(
                f"{self.name}: {len(damaged)} of {total} images cannot be used{allowed}: "
                f"{self.listing.files[first]} {damaged[first]}; or allow so many with corrupt = "
                f"{len(damaged)}"
            )

    def _latest(self, mode: Literal["r+", "c"]) -> Generation | None:
        """Return the newest generation, where the files are as they were for it."""
        found = next(sound(self.folder, self.kinds, mode), None)
        return found if found is not None and (found.states == self.states).all() else None

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Keep other processes from writing to the folder."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.folder / "lock")
            try:
                held = lock.acquire(timeout=0)
            except filelock.Timeout:
                said = f"{self.name}: another process decodes these images; waiting for it"
                self.listener(Message(said))
                held = lock.acquire()
            with held:
                if not (self.folder / "about.json").exists():
                    write_json(self.folder / "about.json", self._about)
                yield
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def _check_room(self) -> None:
        """Raise StorageError where the disk has too little room; tell how much is taken."""
        count = f"{self.name}: {len(self.listing):,}"
        needed, free = bytes_of(self.kinds), shutil.disk_usage(self.folder).free
        if needed > free:
            raise StorageError(
                f"{count} decoded images take {needed / 1e9:.1f} GB and {self.folder} has "
                f"{free / 1e9:.1f} GB free; make room, or name another folder with cache in the "
                "table task.images or with $NETSTITCH_CACHE"
            )
        if needed >= TOLD_FROM:
            said = f"{count} images are decoded, once, to {needed / 1e9:.1f} GB in {self.folder}"
            self.listener(Message(said))

    def _fill(self, generation: Generation) -> None:
        """Read what is left, or take it over from older generations."""
        older = [
            one for one in sound(self.folder, self.kinds, "c") if one.folder != generation.folder
        ]
        left, total = generation.unread(), len(generation.rows)

        def attempt(index: int) -> tuple[int, Decoded | None]:
            for one in older:
                if one.rows[index] > 0 and (one.states[index] == generation.states[index]).all():
                    return index, one.values(index)
            try:
                return index, self._read(index)
            except DataError:
                return index, None

        done = total - len(left)
        # Pillow warns of what it reads nevertheless; what it does not read is said in one line.
        with quiet(), ThreadPoolExecutor(self.workers or available_cores()) as pool:
            for start in range(0, len(left), TOGETHER):
                found = []
                for one in pool.map(attempt, left[start : start + TOGETHER]):
                    found.append(one)
                    done += 1
                    self.listener(Advanced(done, total, self.name))
                generation.add(found)

    def _read(self, index: int) -> Decoded:
        """Decode an image and its label map; raise DataError where they are damaged or differ."""
        image = open_image(self.listing.files[index])
        if not self.listing.masks:
            return [self.transform(image)]
        file = self.listing.masks[index]
        try:
            shown = open_image(file)
            mask = self.transform.mask(shown)
        except DataError as error:
            raise DataError(f"has a label map {file} that {error}") from error
        if shown.size != image.size:
            raise DataError(
                f"has {image.size[0]} x {image.size[1]} pixels and its label map {file} "
                f"{shown.size[0]} x {shown.size[1]}; expected as many"
            )
        classes = len(self.listing.classes)
        if (found := unknown_class(mask, classes)) is not None:
            raise DataError(
                f"has a label map {file} with the class number {found}; expected 0 to "
                f"{classes - 1}, or {VOID} for pixels that do not count"
            )
        return [self.transform(image), mask]
