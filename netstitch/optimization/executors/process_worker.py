"""What a worker process of `ProcessExecutor` does."""

import ctypes
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING

from netstitch.errors import SearchError
from netstitch.optimization.executors.executor import Asked, Attempt, attempt_in_worker, describe
from netstitch.optimization.problem import Genotype

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

Evaluate = Callable[[Genotype], tuple[float, ...]]
Outcome = tuple[list[Attempt], float]
"""What came of the genotypes of a call, and seconds for all of them."""


class Begun(ctypes.Structure):
    """What a worker writes when it begins an evaluation; all 0 before."""

    _fields_ = (("worker", ctypes.c_long), ("start", ctypes.c_double))
    worker: int  # the id of its process
    start: float  # by perf_counter, which all processes share


@dataclass(frozen=True)
class Unloadable:
    """In the place of an evaluation that a worker cannot load."""

    reason: str


_evaluate: Evaluate | Unloadable
_begun: ctypes.Array[Begun]
_number = 0


def worker_number() -> int:
    """Which worker of its pool this process is, from 0; 0 too where it is none.

    Known before an evaluation is loaded, so that each may take a device of its own.
    """
    return _number


def initialise(
    pickled: ctypes.Array[ctypes.c_char],
    begun: ctypes.Array[Begun],
    started: "Synchronized[int]",
) -> None:
    """started: how many workers of this pool were, each of which adds itself."""
    global _evaluate, _begun, _number
    with started.get_lock():
        _number = started.value
        started.value += 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _begun = begun
    try:
        _evaluate = pickle.loads(pickled)  # noqa: S301 - it comes from the parent
    except Exception as error:  # whichever, `run` tells the parent of it
        _evaluate = Unloadable(describe(error))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def run(place: int, items: Sequence[Asked]) -> Outcome:
    """Evaluate; raises SearchError when there is nothing to evaluate with."""
    if isinstance(_evaluate, Unloadable):
        raise SearchError(
            f"the evaluation cannot be loaded in a worker process ({_evaluate.reason}): give a "
            "function or object of a module that can be imported"
        )
    for one in items:
        one.genotype.setflags(write=False)
    begun = _begun[place]
    begun.worker = os.getpid()
    begun.start = start = time.perf_counter()
    attempts = attempt_in_worker(_evaluate, items)
    return attempts, time.perf_counter() - start
