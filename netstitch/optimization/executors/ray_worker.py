"""The work of a worker of `RayExecutor`, in a process that Ray starts on a node of its choice."""

import signal
from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from netstitch.optimization.executors.attempts import (
    Evaluate,
    TaskOutcome,
    Thresholds,
    attempt_in_worker,
)
from netstitch.optimization.executors.executor import Request, worker_name
from netstitch.optimization.problem import Genotype
from netstitch.text import one_line


class RayWorker:
    """Holds the evaluation, which it loads once, when it starts.

    Args:
        stored: The reference to it in Ray's object store, in a list, since Ray would replace a bare
            one by itself, and nothing could be said of an evaluation that cannot be loaded.
    """

    def __init__(self, stored: list[Any]) -> None:
        import ray

        signal.signal(signal.SIGINT, signal.SIG_IGN)  # interruptions are for the driver
        self._evaluate: Evaluate | None = None
        self._reason = ""
        try:
            self._evaluate = ray.get(stored[0])
        except Exception as error:  # whichever, the driver is told of it
            self._reason = one_line(error, kind=True)

    def greet(self) -> tuple[str, str]:
        """Return the worker's name, and why it cannot load the evaluation; empty where it has."""
        return worker_name(), self._reason

    def run(self, packed: npt.NDArray[np.integer], thresholds: Thresholds) -> TaskOutcome:
        """Evaluate the genotypes that `packed_genotypes` was given."""
        assert self._evaluate is not None
        genotypes = packed.astype(np.int64)
        genotypes.setflags(write=False)
        each = zip(count(), genotypes, thresholds, strict=False)
        return attempt_in_worker(self._evaluate, [Request(*one) for one in each])


def packed_genotypes(genotypes: Sequence[Genotype]) -> npt.NDArray[np.integer]:
    """Return genotypes of one length as one small array, a byte a variable where possible."""
    rows = np.stack(genotypes)
    return rows.astype(np.min_scalar_type(rows.max(initial=0)))
