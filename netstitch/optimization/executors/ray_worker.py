"""What a worker of `RayExecutor` does, in a process that Ray starts on a node of its choice."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from netstitch.optimization.executors.executor import (
    Asked,
    Attempt,
    Floors,
    attempt_in_worker,
    describe,
    worker_name,
)
from netstitch.optimization.problem import Genotype

Evaluate = Callable[[Genotype], tuple[float, ...]]


class RayOutcome(NamedTuple):
    """An attempt for each genotype, and the seconds that they took together."""

    attempts: list[Attempt]
    seconds: float


class Worker:
    """Holds the evaluation, which it loads once, when it starts.

    stored: the reference to it in Ray's object store, in a list, since Ray would replace a bare one
        by itself, and nothing could be said of an evaluation that cannot be loaded.
    """

    def __init__(self, stored: list[Any]) -> None:
        import ray

        signal.signal(signal.SIGINT, signal.SIG_IGN)  # interruptions are for the driver
        self._evaluate: Evaluate | None = None
        self._reason = ""
        try:
            self._evaluate = ray.get(stored[0])
        except Exception as error:  # whichever, the driver is told of it
            self._reason = describe(error)

    def greet(self) -> tuple[str, str]:
        """The worker's name, and why it cannot load the evaluation; empty where it has."""
        return worker_name(os.getpid()), self._reason

    def run(self, packed: npt.NDArray[np.integer], floors: Floors) -> RayOutcome:
        """Evaluate the genotypes that `packed` was given."""
        assert self._evaluate is not None
        genotypes = packed.astype(np.int64)
        genotypes.setflags(write=False)
        items = [Asked(*one) for one in zip(count(), genotypes, floors, strict=False)]
        start = time.perf_counter()
        attempts = attempt_in_worker(self._evaluate, items)
        return RayOutcome(attempts, time.perf_counter() - start)


def packed(genotypes: Sequence[Genotype]) -> npt.NDArray[np.integer]:
    """Genotypes of one length as one small array, a byte a variable where that is enough."""
    rows = np.stack(genotypes)
    return rows.astype(np.min_scalar_type(rows.max(initial=0)))
