"""Evaluations on many machines that form a Ray cluster, of which some may be lost."""

import time
from pathlib import Path
from typing import Any, Unpack

from netstitch.optimization.executors.attempts import Evaluate
from netstitch.optimization.executors.executor import Completed
from netstitch.optimization.executors.ray_connection import (
    Connection,
    check_room,
    check_share,
    connect,
    nodes,
    room,
)
from netstitch.optimization.executors.replaced_actors import RayPool, WorkerSlot
from netstitch.optimization.executors.worker_executor import Dealing, PendingTask, WorkerExecutor
from netstitch.threads import available_cores

GRACE = 1.0
"""Seconds after a death in which a node that is lost may take other workers with it."""


class RayExecutor(WorkerExecutor[WorkerSlot]):
    """Evaluates on the nodes of a Ray cluster, first come first served.

    When a worker dies, alone or with its node, it is replaced, and what it was evaluating is
    evaluated once more, each alone, by a worker that has answered since. An evaluation in which a
    worker dies again is a failed one. Where there is less room than before, as without a node, the
    workers that are left go on, and the others start when there is room again.

    Workers are started when they are first needed, after `cancel` and `close` too. They end with
    this process, however that happens, and so does a cluster that was started here.

    Args:
        evaluate: Objective values of a genotype. It goes to each node once, through Ray's object
            store, and each worker loads it once; NumPy arrays in it are shared by the workers of a
            node.
        workers: How many calls run at once, each with a CPU; None for as many as the cluster has
            room for.
        address: HOST:PORT of a cluster's head node, "auto" for the cluster that this machine is
            part of, None to start one here. A program that is connected to Ray already stays so.
        temporary: The folder for logs and sockets of a cluster that is started; Ray's own by
            default.
        gpus_per_worker: GPUs of each worker; a fraction lets workers share one.
        **dealing: See `Dealing`.

    Raises:
        SearchError: As `WorkerExecutor`; where Ray is not installed, no cluster answers within 30
            seconds or it has no room for the workers; for an evaluation that cannot be pickled;
            and, from `wait`, when workers cannot load it or do not start.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        workers: int | None,
        *,
        address: str | None = None,
        temporary: Path | None = None,
        gpus_per_worker: float = 0.0,
        **dealing: Unpack[Dealing],
    ) -> None:
        check_share(gpus_per_worker)
        self._connection: Connection | None = None
        try:
            if workers is None:
                self._connection = connect(address, available_cores(), temporary=temporary)
                workers = max(1, room(nodes(self._connection.ray), gpus_per_worker))
            super().__init__("Ray workers", workers, **dealing)
        except BaseException:
            if self._connection is not None:
                self._connection.close()
            raise
        self._evaluate = evaluate
        self._address, self._temporary = address, temporary
        self._gpus_per_worker = gpus_per_worker
        self._stored: object = None  # where the object store has the evaluation
        self._pool: RayPool | None = None
        self._connect()

    def close(self) -> None:
        """Do as `cancel`, and leave the cluster, which ends if it was started here."""
        self.cancel()
        self._stored = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> Any:
        """Return Ray, connected, with the evaluation in its object store."""
        if self._connection is None:
            self._connection = connect(self._address, self.workers, temporary=self._temporary)
        ray = self._connection.ray
        if self._stored is None:
            try:
                check_room(ray, self.workers, self._gpus_per_worker)
                with self._sending(
                    "a function, or an object that can be pickled and fits into Ray's object store"
                ):
                    self._stored = ray.put(self._evaluate)
            except BaseException:
                self.close()
                raise
        return ray

    def _start(self) -> None:
        if self._pool is None:
            ray = self._connect()
            self._pool = RayPool(ray, self._stored, self.workers, self._gpus_per_worker)
        pool = self._pool
        pool.start()
        now = time.monotonic()
        while pool.idle:
            if self._suspects and now >= self._suspects[0].earliest:
                slot = pool.idle.popleft()
                if slot.alive >= self._suspects[0].earliest:
                    self._run(pool, slot, self._suspects.popleft())
                else:
                    pool.greet(slot, self._timeout)
            elif self._room():
                task = self._deal(len(pool.idle))
                self._run(pool, pool.idle.popleft(), task)
            else:
                break

    def _run(self, pool: RayPool, slot: WorkerSlot, task: PendingTask) -> None:
        self._running[slot] = task
        pool.run(slot, task.requests, self._timeout * len(task.requests))

    def _finished(self) -> list[Completed]:
        assert self._pool is not None
        now = time.monotonic()
        moments = [task.earliest for task in self._suspects if task.earliest > now]
        done: list[Completed] = []
        for slot, answer in self._pool.answers(min([self._moment, *moments])):
            task = self._running.pop(slot)
            if not isinstance(answer, str):
                done += self._take(task, answer, slot.name)
                continue
            failure = f"a worker died twice in this evaluation ({answer})"
            now = time.monotonic()
            done += self._lose(task, failure, now - slot.since, slot.name, now + GRACE)
        return done

    def _under_way(self) -> float:
        now = time.monotonic()
        return sum(now - slot.since for slot in self._running)

    def _end_workers(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.end()
