"""The workers of `RayExecutor`: actors that Ray places where there is room, replaced when they die.

Each worker has at most one future, that of what it was last asked, and `ray.wait` tells of those
that are done; there is no queue. A worker that Ray has found no room for yet is just slow to answer
for the first time, and holds up nobody.
"""

import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from netstitch.errors import SearchError
from netstitch.optimization.executors.executor import Floors
from netstitch.optimization.executors.ray_worker import RayOutcome, Worker

MOST_STARTS, LONGEST_PAUSE = 3, 60.0
"""Starts in a row that may fail where no worker works; seconds before another one, at most."""


@dataclass(eq=False)
class WorkerSlot:
    """Where a worker is, or the next one will be.

    name: the worker's or the last one's, empty while one starts. proven: whether one ever did.
    running: whether it was asked to evaluate. since: when it was asked what it was asked last.
    alive: the latest moment at which it is known to have lived. due: when it is given up, or the
    next one starts. failed: starts in a row that failed.
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


class Crew:
    """Workers that have loaded an evaluation, as many as there is room for.

    ray: the package, connected. stored: a reference to the evaluation in the object store.
    """

    def __init__(self, ray: Any, stored: Any, workers: int, gpus_per_worker: float) -> None:
        self._ray = ray
        self._stored = stored
        self._actor = ray.remote(Worker).options(
            num_cpus=1,
            num_gpus=gpus_per_worker,
            max_restarts=0,  # we have to know of a death, and in which evaluation it was
            scheduling_strategy="SPREAD",
            enable_task_events=False,  # which tell a dashboard of every single evaluation
        )
        self._places = [WorkerSlot() for _ in range(workers)]
        self._missing = list(self._places)  # with no worker
        self._asked: dict[Any, WorkerSlot] = {}  # by future
        self.idle: deque[WorkerSlot] = deque()  # with a worker that was asked nothing

    def start(self) -> None:
        """Start the workers that are missing, except for those that have just failed to."""
        now = time.monotonic()
        for place in [place for place in self._missing if place.due <= now]:
            self._missing.remove(place)
            place.name = ""
            place.worker = self._actor.remote([self._stored])
            self.greet(place, inf)

    def greet(self, place: WorkerSlot, seconds: float) -> None:
        """Let a worker show that it lives, within so many seconds; it is idle again when it has."""
        self._ask(place, place.worker.greet.remote(), seconds)

    def run(
        self, place: WorkerSlot, genotypes: npt.NDArray[np.integer], floors: Floors, seconds: float
    ) -> None:
        """Let a worker evaluate, within so many seconds."""
        place.running = True
        self._ask(place, place.worker.run.remote(genotypes, floors), seconds)

    def _ask(self, place: WorkerSlot, future: Any, seconds: float) -> None:
        place.since = time.monotonic()
        place.due = place.since + seconds
        place.future = future
        self._asked[future] = place

    def answers(self, until: float) -> list[tuple[WorkerSlot, RayOutcome | str]]:
        """What workers that ran have found, or how they died; waits for one until that moment.

        There may be none earlier, where workers have started, or are to be.

        Raises SearchError when workers cannot load the evaluation, or do not start.
        """
        found: list[tuple[WorkerSlot, RayOutcome | str]] = []
        for future in self._done(until):
            place = self._asked.pop(future)
            place.alive = place.since  # it has answered, but who knows when
            try:
                answer = self._ray.get(future)
            except self._ray.exceptions.RayError as error:
                found += self._lose(place, _ending(error), _cannot_load(error))
                continue
            if place.running:
                place.running = False
                self.idle.append(place)
                found.append((place, answer))
            else:
                found += self._welcome(place, *answer)
        now = time.monotonic()
        for place in [place for place in self._asked.values() if place.due <= now]:
            del self._asked[place.future]
            found += self._lose(place, "no answer in time")
        return found

    def _done(self, until: float) -> list[Any]:
        """Futures that are done; it waits for one until that moment, or until there is work."""
        moments = [until, *(place.due for place in self._missing)]
        moments += [place.due for place in self._asked.values()]
        left = max(0.0, min(moments) - time.monotonic())
        futures = list(self._asked)
        if not futures:
            time.sleep(left)
            return []
        done, others = self._ray.wait(futures, timeout=None if left == inf else left)
        if done and others:
            done += self._ray.wait(others, num_returns=len(others), timeout=0)[0]
        return list(done)

    def _welcome(
        self, place: WorkerSlot, name: str, reason: str
    ) -> list[tuple[WorkerSlot, RayOutcome | str]]:
        if reason:
            return self._lose(place, f"{reason}, {name}", cannot_load=True)
        place.name, place.proven, place.failed = name, True, 0
        self.idle.append(place)
        return []

    def _lose(
        self, place: WorkerSlot, reason: str, cannot_load: bool = False
    ) -> list[tuple[WorkerSlot, RayOutcome | str]]:
        """Have a worker replaced; how it died, where it was evaluating."""
        self._kill(place)
        place.due = time.monotonic()
        if not place.name:
            place.failed += 1
            place.due += min(LONGEST_PAUSE, 2.0 ** (place.failed - 1))
            self._check_start(place, reason, cannot_load)
        running, place.running = place.running, False
        place.worker = None
        self._missing.append(place)
        return [(place, reason)] if running else []

    def _check_start(self, place: WorkerSlot, reason: str, cannot_load: bool) -> None:
        """Raise SearchError, unless other workers can work, and this may be a bad new node."""
        if cannot_load and not place.proven:
            raise SearchError(
                f"the evaluation cannot be loaded by a Ray worker ({reason}): give a function or "
                "object of a module that can be imported on every node, and install netstitch there"
            )
        if place.failed >= MOST_STARTS and not any(map(_works, self._places)):
            raise SearchError(
                f"Ray workers die before they evaluate anything ({reason}): look into their logs "
                "in Ray's temporary folder, and whether their nodes have enough memory"
            )

    def end(self) -> None:
        """Kill the workers, whatever they do."""
        for place in self._places:
            self._kill(place)

    def _kill(self, place: WorkerSlot) -> None:
        # Without a connection they are dead, and Ray would start a cluster to kill them in.
        if place.worker is not None and self._ray.is_initialized():
            with suppress(self._ray.exceptions.RayError):
                self._ray.kill(place.worker)


def _works(place: WorkerSlot) -> bool:
    return place.worker is not None and bool(place.name)


def _cannot_load(error: Exception) -> bool:
    """Whether a worker could not be made of what it was sent, as where netstitch is missing."""
    return "error raised in its creation task" in str(error)


def _ending(error: Exception) -> str:
    """How a worker ended, in words; Ray takes many lines for it."""
    text = str(error)
    if "its node has died" in text:
        return "its node was lost"
    if "memory" in type(error).__name__.lower():
        return "its node ran out of memory"
    if _cannot_load(error):
        return text.strip().splitlines()[-1].strip()
    return "its process died"
