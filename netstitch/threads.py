"""The number of threads inside torch's operations, and silence for libraries that log.

More threads are not always faster: small networks, and cores that are busy with something else, can
make two threads many times slower than one. So it is measured where it matters.
"""

import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Run with so many threads inside each operation; torch's own setting returns at the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def batch_workers(count: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads that each run batches on one core."""
    with (
        threads(1),
        ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        yield pool


@contextmanager
def fastest_threads(
    work: Callable[[], object],
    *,
    candidates: Sequence[int] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[int]:
    """Run with the number of threads with which `work` is fastest, of two timed calls of each.

    Args:
        work: What is timed.
        candidates: Numbers of threads; by default one, and as many as torch is set to.
        clock: Returns seconds.
    """
    before = torch.get_num_threads()
    counts = sorted(set(candidates or (1, before)))
    best, least = counts[0], float("inf")
    for count in counts if len(counts) > 1 else ():
        with threads(count):
            work()  # the first call starts threads and chooses kernels
            for _ in range(2):
                started = clock()
                work()
                seconds = clock() - started
                if seconds < least:
                    best, least = count, seconds
    with threads(best):
        yield best


@contextmanager
def quiet() -> Iterator[None]:
    """Silence logging and warnings inside: exporters write for authors of models, not for users.

    What fails is raised, and said in one line elsewhere.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
