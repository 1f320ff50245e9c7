"""Evaluations on many machines that form a Ray cluster, of which some may be lost."""

import time
from collections import deque
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from netstitch.errors import SearchError
from netstitch.optimization.executors.executor import Asked, Completed, completed, describe
from netstitch.optimization.executors.queue import Choose, EvaluationQueue
from netstitch.optimization.executors.ray_connection import (
    Connection,
    check_room,
    check_share,
    connect,
)
from netstitch.optimization.executors.ray_crew import Crew, WorkerSlot
from netstitch.optimization.executors.ray_worker import Evaluate, RayOutcome, packed
from netstitch.optimization.problem import Genotype

GRACE = 1.0
"""Seconds after a death in which a node that is lost may take other workers with it."""


@dataclass(eq=False)
class PendingRayTask:
    """An evaluation that is not done. safe: of one in which a worker died, when it may go on."""

    asked: Asked
    safe: float = 0.0


class RayExecutor:
    """Evaluates on the nodes of a Ray cluster, first come first served.

    evaluate: objective values of a genotype. It goes to each node once, through Ray's object store,
        and each worker loads it once; NumPy arrays in it are shared by the workers of a node.
    workers: how many evaluations run at once, each with a CPU, and `gpus_per_worker` GPUs, of which
        a fraction lets workers share one.
    capacity: how many may be submitted, those that wait for a worker included; by default as many
        as the workers take at once.
    group: how many genotypes a worker takes at once, where as many wait; their seconds are divided
        equally among them.
    choose: which of those that wait go with the oldest; by default the next ones.
    address: HOST:PORT of a cluster's head node, "auto" for the cluster that this machine is part
        of, None to start one here. A program that is connected to Ray already stays so.
    temporary: the folder for logs and sockets of a cluster that is started; Ray's own by default.
    timeout: seconds that an evaluation may take, after which its worker counts as dead.

    When a worker dies, alone or with its node, it is replaced, and what it was evaluating is
    evaluated once more, each alone, by a worker that has answered since. An evaluation in which a
    worker dies again is a failed one. Where there is less room than before, as without a node, the
    workers that are left go on, and the others start when there is room again.

    Workers are started when they are first needed, after `cancel` and `close` too. They end with
    this process, however that happens, and so does a cluster that was started here.

    Raises SearchError for bad numbers, where Ray is not installed, no cluster answers within 30
    seconds or it has no room for the workers, and for an evaluation that cannot be pickled; and,
    from `wait`, when workers cannot load it or do not start.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        workers: int,
        *,
        capacity: int | None = None,
        group: int = 1,
        choose: Choose | None = None,
        address: str | None = None,
        temporary: Path | None = None,
        gpus_per_worker: float = 0.0,
        timeout: float | None = None,
    ) -> None:
        self.capacity = workers * group if capacity is None else capacity
        if min(workers, group) < 1 or self.capacity < workers:
            raise SearchError(
                f"{workers} Ray workers that take {group} evaluations at once and room for "
                f"{self.capacity}: give at least 1 worker that takes 1, and room for as many "
                "evaluations as there are workers"
            )
        if timeout is not None and not timeout > 0:
            raise SearchError(f"an evaluation may take {timeout} seconds: give more than 0")
        check_share(gpus_per_worker)
        self.workers = workers
        self._evaluate = evaluate
        self._group = group
        self._address, self._temporary = address, temporary
        self._gpus_per_worker = gpus_per_worker
        self._timeout = inf if timeout is None else timeout
        self._connection: Connection | None = None
        self._stored: Any = None  # where the object store has the evaluation
        self._crew: Crew | None = None
        self._waiting = EvaluationQueue(choose)
        self._suspects: deque[PendingRayTask] = deque()  # those in which a worker died
        self._running: dict[WorkerSlot, list[PendingRayTask]] = {}
        self._busy = 0.0  # seconds of evaluations that are over
        self._connect()

    def submit(self, ticket: int, genotype: Genotype, floor: float | None = None) -> None:
        self._waiting.put(Asked(ticket, genotype, floor))
        if self._group == 1:  # else `wait`, when all that may go together are there
            self._give()

    def wait(self) -> list[Completed]:
        """All results that are ready, at least one; none where nothing is under way."""
        done: list[Completed] = []
        while not done and (self._waiting or self._suspects or self._running):
            crew = self._give()
            now = time.monotonic()
            next_safe = min((call.safe for call in self._suspects if call.safe > now), default=inf)
            for place, answer in crew.answers(next_safe):
                calls = self._running.pop(place)
                if isinstance(answer, str):
                    done += self._lost(place, calls, answer)
                else:
                    done += self._found(place, calls, answer)
        if self._group == 1:
            self._give()
        return done

    def busy(self) -> float:
        """Seconds that the workers have spent on evaluations so far, all of them together.

        Starting up is none of it, and what was lost with a worker is.
        """
        now = time.monotonic()
        return self._busy + sum(now - place.since for place in self._running)

    def cancel(self) -> None:
        """Forget what is running and waiting, and kill the workers, whatever they do."""
        self._busy = self.busy()
        self._waiting.clear()
        self._suspects.clear()
        self._running.clear()
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.end()

    def close(self) -> None:
        """As `cancel`, and leave the cluster, which ends if it was started here."""
        self.cancel()
        self._stored = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> Any:
        """Ray, connected, with the evaluation in its object store."""
        if self._connection is None:
            self._connection = connect(self._address, self.workers, temporary=self._temporary)
            ray = self._connection.ray
            try:
                check_room(ray, self.workers, self._gpus_per_worker)
                self._stored = _stored(ray, self._evaluate)
            except BaseException:
                self.close()
                raise
        return self._connection.ray

    def _give(self) -> Crew:
        """Give what waits to workers that have nothing to do."""
        if self._crew is None:
            ray = self._connect()
            self._crew = Crew(ray, self._stored, self.workers, self._gpus_per_worker)
        crew = self._crew
        crew.start()
        now = time.monotonic()
        share = min(self._group, -(-len(self._waiting) // max(1, len(crew.idle))))
        while crew.idle:
            suspect = self._suspects[0] if self._suspects else None
            if suspect is not None and now >= suspect.safe:
                place = crew.idle.popleft()
                if place.alive >= suspect.safe:
                    self._run(crew, place, [self._suspects.popleft()])
                else:
                    crew.greet(place, self._timeout)
            elif self._waiting:
                calls = [PendingRayTask(asked) for asked in self._waiting.take(share)]
                self._run(crew, crew.idle.popleft(), calls)
            else:
                break
        return crew

    def _run(self, crew: Crew, place: WorkerSlot, calls: list[PendingRayTask]) -> None:
        self._running[place] = calls
        asked = [call.asked for call in calls]
        crew.run(
            place,
            packed([one.genotype for one in asked]),
            [one.floor for one in asked],
            self._timeout * len(calls),
        )

    def _found(
        self, place: WorkerSlot, calls: list[PendingRayTask], outcome: RayOutcome
    ) -> list[Completed]:
        attempts, seconds = outcome
        self._busy += seconds
        return completed([call.asked for call in calls], attempts, seconds, place.name)

    def _lost(self, place: WorkerSlot, calls: list[PendingRayTask], reason: str) -> list[Completed]:
        """Let what went down with its worker wait for another one, or fail."""
        now = time.monotonic()
        seconds = now - place.since
        self._busy += seconds
        done: list[Completed] = []
        for call in calls:
            if call.safe:
                failure = f"a worker died twice in this evaluation ({reason})"
                part = seconds / len(calls)
                done.append(Completed(call.asked.ticket, None, failure, part, place.name))
            else:
                call.safe = now + GRACE
                self._suspects.append(call)
        return done


def _stored(ray: Any, evaluate: Evaluate) -> Any:
    """A reference to the evaluation in the object store, from where nodes get it."""
    try:
        return ray.put(evaluate)
    except Exception as error:  # whichever, it comes from pickling what was given, or no room
        raise SearchError(
            f"the evaluation cannot be sent to Ray workers ({describe(error)}): give a function, "
            "or an object that can be pickled and fits into Ray's object store"
        ) from error
