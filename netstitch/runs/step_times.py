"""The seconds that each step of a run takes, as run.json tells them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from netstitch.records import read_document, update_document


@contextmanager
def adding(folder: Path, name: str) -> Iterator[None]:
    """Time a step, and add it to what run.json says of it so far."""
    seconds: dict[str, float] = {}
    with timed(seconds, name):
        yield
    before = read_document(folder).seconds
    spent = round(before.get(name, 0.0) + seconds[name], 2)
    update_document(folder, {"seconds": before | {name: spent}})


@contextmanager
def timed(
    seconds: dict[str, float], name: str, clock: Callable[[], float] = time.perf_counter
) -> Iterator[None]:
    """Time a step, and note it under its name."""
    started = clock()
    yield
    seconds[name] = clock() - started
