"""What a worker process of `ProcessExecutor` does."""

import ctypes
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection

from netstitch.errors import SearchError
from netstitch.optimization.executor import attempt, describe
from netstitch.optimization.problem import Genotype

Evaluate = Callable[[Genotype], tuple[float, ...]]
Outcome = tuple[tuple[float, ...] | None, str | None, float]
"""Objectives or None, the reason of a failure, and seconds."""


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


def initialise(pickled: ctypes.Array[ctypes.c_char], begun: ctypes.Array[Begun]) -> None:
    global _evaluate, _begun
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


def run(place: int, genotype: Genotype) -> Outcome:
    """Evaluate; raises SearchError when there is nothing to evaluate with."""
    if isinstance(_evaluate, Unloadable):
        raise SearchError(
            f"the evaluation cannot be loaded in a worker process ({_evaluate.reason}): give a "
            "function or object of a module that can be imported"
        )
    genotype.setflags(write=False)
    begun = _begun[place]
    begun.worker = os.getpid()
    begun.start = start = time.perf_counter()
    objectives: tuple[float, ...] | None
    try:
        objectives, failure = attempt(_evaluate, genotype)
    except BaseException as error:  # as by sys.exit; the worker goes on
        objectives, failure = None, f"{type(error).__name__}: {error}"
    return objectives, failure, time.perf_counter() - start
