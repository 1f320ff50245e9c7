"""The workers of `RayExecutor`: actors that Ray places where there is room, replaced when they die.

Each worker has at most one future, that of what it was last asked, and `ray.wait` tells of those
that are done; there is no queue. A worker that Ray has found no room for yet is just slow to answer
for the first time, and holds up nobody.
"""

import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from netstitch.errors import SearchError
from netstitch.optimization.executors.attempts import (
    TaskOutcome,
    Thresholds,
    Unloadable,
    attempt_in_worker,
    loaded,
)
from netstitch.optimization.executors.executor import Request, worker_name
from netstitch.optimization.problem import Genotype

MOST_STARTS, LONGEST_PAUSE = 3, 60.0
"""Starts in a row that may fail where no worker works; seconds before another one, at most."""


class RayWorker:
    """Holds the evaluation, which it loads once, in a process that Ray starts on some node.

    Args:
        stored: Ray reference to the evaluation, wrapped in a list: Ray resolves bare references
            itself, and its error would hide why loading failed.
    """

    def __init__(self, stored: list[Any]) -> None:
        import ray

        self._evaluate = loaded(lambda: ray.get(stored[0]))

    def greet(self) -> tuple[str, str]:
        """Return the worker's name, and why it cannot load the evaluation; empty where it has."""
        reason = self._evaluate.reason if isinstance(self._evaluate, Unloadable) else ""
        return worker_name(), reason

    def run(self, packed: npt.NDArray[np.integer], thresholds: Thresholds) -> TaskOutcome:
        """Evaluate the genotypes that `packed_genotypes` was given."""
        assert not isinstance(self._evaluate, Unloadable)
        each = zip(count(), packed.astype(np.int64), thresholds, strict=False)
        return attempt_in_worker(self._evaluate, [Request(*one) for one in each])


@dataclass(eq=False)
class WorkerSlot:
    """A place for one worker, occupied or waiting for a restart.

    Attributes:
        worker: Ray's handle of it; None while there is none.
        name: The worker's or the last one's, empty while one starts.
        proven: Whether a worker of this slot ever started.
        running: Whether it was asked to evaluate.
        future: What it was asked last.
        since: The moment at which it was asked that.
        alive: The latest moment at which it is known to have lived.
        due: The moment at which it is given up, or the next one starts.
        failed: Starts in a row that failed.
    """

    worker: Any = None
    name: str = ""
    proven: bool = False
    running: bool = False
    future: Any = None
    since: float = 0.0
    alive: float = 0.0
    due: float = 0.0
    failed: int = 0


class RayPool:
    """Workers that have loaded an evaluation, as many as there is room for.

    Args:
        ray: The package, connected.
        stored: A reference to the evaluation in the object store.
        workers: How many there are to be.
        gpus_per_worker: GPUs of each.
    """

    def __init__(self, ray: Any, stored: Any, workers: int, gpus_per_worker: float) -> None:
        self._ray = ray
        self._stored = stored
        self._actor = ray.remote(RayWorker).options(
            num_cpus=1,
            num_gpus=gpus_per_worker,
            max_restarts=0,  # we have to know of a death, and in which evaluation it was
            scheduling_strategy="SPREAD",
            enable_task_events=False,  # which tell a dashboard of every single evaluation
        )
        self._slots = [WorkerSlot() for _ in range(workers)]
        self._missing = list(self._slots)  # with no worker
        self._awaited: dict[Any, WorkerSlot] = {}  # by future
        self.idle: deque[WorkerSlot] = deque()  # with a worker that was asked nothing

    def start(self) -> None:
        """Start the workers that are missing, except for those that have just failed to."""
        now = time.monotonic()
        for slot in [slot for slot in self._missing if slot.due <= now]:
            self._missing.remove(slot)
            slot.name = ""
            slot.worker = self._actor.remote([self._stored])
            self.greet(slot, inf)

    def greet(self, slot: WorkerSlot, seconds: float) -> None:
        """Ping a worker; it becomes idle when it answers within `seconds`."""
        self._ask(slot, slot.worker.greet.remote(), seconds)

    def run(self, slot: WorkerSlot, requests: Sequence[Request], seconds: float) -> None:
        """Let a worker evaluate, within so many seconds."""
        slot.running = True
        packed = packed_genotypes([one.genotype for one in requests])
        thresholds = [one.threshold for one in requests]
        self._ask(slot, slot.worker.run.remote(packed, thresholds), seconds)

    def _ask(self, slot: WorkerSlot, future: Any, seconds: float) -> None:
        slot.since = time.monotonic()
        slot.due = slot.since + seconds
        slot.future = future
        self._awaited[future] = slot

    def answers(self, until: float) -> list[tuple[WorkerSlot, TaskOutcome | str]]:
        """Return outcomes of workers, or the reasons of their deaths; wait for them until `until`.

        The list may be empty earlier, when a worker starts or is to be started.

        Raises:
            SearchError: When workers cannot load the evaluation, or do not start.
        """
        found: list[tuple[WorkerSlot, TaskOutcome | str]] = []
        for future in self._done(until):
            slot = self._awaited.pop(future)
            slot.alive = slot.since  # it has answered, but who knows when
            try:
                answer = self._ray.get(future)
            except self._ray.exceptions.RayError as error:
                found += self._lose(slot, _ending(error), _cannot_load(error))
                continue
            if slot.running:
                slot.running = False
                self.idle.append(slot)
                found.append((slot, answer))
            else:
                found += self._welcome(slot, *answer)
        now = time.monotonic()
        for slot in [slot for slot in self._awaited.values() if slot.due <= now]:
            del self._awaited[slot.future]
            found += self._lose(slot, "no answer in time")
        return found

    def _done(self, until: float) -> list[Any]:
        """Return futures that are done; wait for one until that moment, or until there is work."""
        moments = [until, *(slot.due for slot in self._missing)]
        moments += [slot.due for slot in self._awaited.values()]
        left = max(0.0, min(moments) - time.monotonic())
        futures = list(self._awaited)
        if not futures:
            time.sleep(left)
            return []
        done, others = self._ray.wait(futures, timeout=None if left == inf else left)
        if done and others:
            done += self._ray.wait(others, num_returns=len(others), timeout=0)[0]
        return list(done)

    def _welcome(
        self, slot: WorkerSlot, name: str, reason: str
    ) -> list[tuple[WorkerSlot, TaskOutcome | str]]:
        if reason:
            return self._lose(slot, f"{reason}, {name}", cannot_load=True)
        slot.name, slot.proven, slot.failed = name, True, 0
        self.idle.append(slot)
        return []

    def _lose(
        self, slot: WorkerSlot, reason: str, cannot_load: bool = False
    ) -> list[tuple[WorkerSlot, TaskOutcome | str]]:
        """Have a worker replaced; return how it died, where it was evaluating."""
        self._kill(slot)
        slot.due = time.monotonic()
        if not slot.name:
            slot.failed += 1
            slot.due += min(LONGEST_PAUSE, 2.0 ** (slot.failed - 1))
            self._check_start(slot, reason, cannot_load)
        running, slot.running = slot.running, False
        slot.worker = None
        self._missing.append(slot)
        return [(slot, reason)] if running else []

    def _check_start(self, slot: WorkerSlot, reason: str, cannot_load: bool) -> None:
        """Raise SearchError, unless other workers can work, and this may be a bad new node."""
        if cannot_load and not slot.proven:
            raise SearchError(
                f"the evaluation cannot be loaded by a Ray worker ({reason}): give a function or "
                "object of a module that can be imported on every node, and install netstitch there"
            )
        if slot.failed >= MOST_STARTS and not any(map(_works, self._slots)):
            raise SearchError(
                f"Ray workers die before they evaluate anything ({reason}): look into their logs "
                "in Ray's temporary folder, and whether their nodes have enough memory"
            )

    def end(self) -> None:
        """Kill the workers, whatever they do."""
        for slot in self._slots:
            self._kill(slot)

    def _kill(self, slot: WorkerSlot) -> None:
        # Without a connection they are dead, and Ray would start a cluster to kill them in.
        if slot.worker is not None and self._ray.is_initialized():
            with suppress(self._ray.exceptions.RayError):
                self._ray.kill(slot.worker)


def _works(slot: WorkerSlot) -> bool:
    return slot.worker is not None and bool(slot.name)


def _cannot_load(error: Exception) -> bool:
    """Return whether a worker could not be made of what it was sent, as without netstitch."""
    return "error raised in its creation task" in str(error)


def _ending(error: Exception) -> str:
    """Return in words how a worker ended; Ray takes many lines for it."""
    text = str(error)
    if "its node has died" in text:
        return "its node was lost"
    if "memory" in type(error).__name__.lower():
        return "its node ran out of memory"
    if _cannot_load(error):
        return text.strip().splitlines()[-1].strip()
    return "its process died"


def packed_genotypes(genotypes: Sequence[Genotype]) -> npt.NDArray[np.integer]:
    """Return genotypes of one length as one small array, a byte a variable where possible."""
    rows = np.stack(genotypes)
    return rows.astype(np.min_scalar_type(rows.max(initial=0)))
