"""The work of a worker process of `ProcessExecutor`."""

import ctypes
import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import Sequence
from multiprocessing import connection
from typing import TYPE_CHECKING

from netstitch.errors import SearchError
from netstitch.optimization.executors.attempts import (
    Evaluate,
    TaskOutcome,
    Unloadable,
    attempt_in_worker,
    loaded,
)
from netstitch.optimization.executors.executor import Request

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized


class Begun(ctypes.Structure):
    """An entry that a worker writes when it begins an evaluation; all 0 before."""

    _fields_ = (("worker", ctypes.c_long), ("start", ctypes.c_double))
    worker: int  # the id of its process
    start: float  # by perf_counter, which all processes share


_evaluate: Evaluate | Unloadable
_begun: ctypes.Array[Begun]
_number = 0


def worker_number() -> int:
    """Return the number of this process in its pool, from 0; 0 too where it is in none.

    It is known before an evaluation is loaded, so that each may take a device of its own.
    """
    return _number


def initialise(
    pickled: ctypes.Array[ctypes.c_char],
    begun: ctypes.Array[Begun],
    started: "Synchronized[int]",
) -> None:
    """Load the evaluation in a worker that has just started.

    Args:
        pickled: The evaluation.
        begun: Where the workers write what they begin.
        started: How many workers of this pool have started; each adds itself.
    """
    global _evaluate, _begun, _number
    with started.get_lock():
        _number = started.value
        started.value += 1
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _begun = begun
    _evaluate = loaded(lambda: pickle.loads(pickled))  # noqa: S301 - it comes from the parent


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def run(slot: int, requests: Sequence[Request]) -> TaskOutcome:
    """Evaluate; raise SearchError when there is nothing to evaluate with."""
    if isinstance(_evaluate, Unloadable):
        raise SearchError(
            f"the evaluation cannot be loaded in a worker process ({_evaluate.reason}): give a "
            "function or object of a module that can be imported"
        )
    _begun[slot].worker = os.getpid()
    _begun[slot].start = time.perf_counter()
    return attempt_in_worker(_evaluate, requests)
