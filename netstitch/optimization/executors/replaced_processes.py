"""Evaluations in processes of their own, many at once, which are replaced when one dies.

The pool of the standard library gives up when a worker dies, and does not say in which evaluation.
Here workers write down what they begin where the parent can read it, so that a new pool goes on,
and an evaluation that kills its worker is told from those that ran beside it.
"""

import ctypes
import pickle
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from math import inf
from multiprocessing.process import BaseProcess
from typing import Unpack

from netstitch.errors import SearchError
from netstitch.optimization.executors.attempts import Evaluate, TaskOutcome
from netstitch.optimization.executors.executor import Completed, Request, worker_name
from netstitch.optimization.executors.process_start import interruptions_blocked, start_context
from netstitch.optimization.executors.process_worker import Begun, initialise, run
from netstitch.optimization.executors.worker_executor import Dealing, PendingTask, WorkerExecutor
from netstitch.text import one_line


class ProcessExecutor(WorkerExecutor[Future[TaskOutcome]]):
    """Evaluates in worker processes, first come first served.

    When a worker dies, all evaluations that were under way are suspects, and are run once more, one
    at a time and nothing beside them; where one took too long, only what its worker was given is.
    One in which a worker dies again is a failed evaluation.

    Workers are started when they are first needed, after `cancel` and `close` too. They leave
    interruptions from the keyboard to this process, and end when it does, however that happens.

    Args:
        evaluate: Objective values of a genotype. It is pickled and goes to each worker once, so it
            is a function of a module, or an object of a class of one.
        workers: How many calls run at once, each in a process of its own.
        preload: Modules that workers find loaded, see `start_context`.
        **dealing: See `Dealing`.

    Raises:
        SearchError: As `WorkerExecutor`, and for an evaluation that cannot be pickled; from
            `submit` or `wait` where workers do not start.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        workers: int,
        *,
        preload: Sequence[str] = (__name__,),
        **dealing: Unpack[Dealing],
    ) -> None:
        super().__init__("worker processes", workers, **dealing)
        self._context = start_context(preload)
        with self._sending(
            "a function of a module, no lambda or inner function, or an object that can be pickled"
        ):
            pickled = pickle.dumps(evaluate)
        # Shared, since a pipe that it fills would hold up `submit` until the worker has started.
        self._evaluate = self._context.RawArray(ctypes.c_char, len(pickled))
        self._evaluate.raw = pickled
        self._pool: ProcessPoolExecutor | None = None
        self._broken = False  # the pool takes no more calls
        self._barren = 0  # pools in a row that broke before they began anything
        self._begun: ctypes.Array[Begun]  # what calls of this pool have begun, by slot
        self._slots: dict[PendingTask, int] = {}  # where a call that runs writes that
        self._free: list[int] = []  # the other slots
        self._late: set[PendingTask] = set()  # ended since they took too long

    def _start(self) -> None:
        """Put into the pool what waits; a suspect only alone."""
        while (self._suspects or self._room()) and not self._broken:
            others = self._running.values()
            if others and (self._suspects or any(task.suspect for task in others)):
                return
            pool = self._open()
            if not self._free:
                return
            task = self._suspects.popleft() if self._suspects else self._deal(len(self._free))
            slot = self._slots[task] = self._free.pop()
            self._begun[slot].start = 0.0
            try:
                with interruptions_blocked():
                    future = pool.submit(run, slot, task.requests)
            except BrokenProcessPool:
                if task.suspect:
                    self._suspects.appendleft(task)
                else:
                    self._waiting.put_back(task.requests)
                self._broken = True
                return
            except OSError as error:
                reason = one_line(error, kind=True)
                raise SearchError(
                    f"a worker process cannot be started ({reason}): give fewer workers"
                ) from error
            self._running[future] = task

    def _finished(self) -> list[Completed]:
        ready = wait(self._running, self._time_left(), FIRST_COMPLETED).done
        if self._broken or any(map(_lost, ready)):
            return self._recover()
        if not ready:  # where one took too long, its worker's death breaks the pool
            self._late = {task for task in self._running.values() if self._left(task) <= 0}
            self._broken = bool(self._late)
        return self._collect(future for future in self._running if future in ready)

    def _collect(self, futures: Iterable[Future[TaskOutcome]]) -> list[Completed]:
        """Return the results of calls that are done."""
        done: list[Completed] = []
        for future in list(futures):
            task = self._running.pop(future)
            slot = self._slots.pop(task)
            self._free.append(slot)
            self._barren = 0
            done += self._take(task, future.result(), worker_name(self._begun[slot].worker))
        return done

    def _under_way(self) -> float:
        now, seconds = time.perf_counter(), 0.0
        for future, task in self._running.items():
            if _given(future):
                seconds += future.result().seconds
            elif start := self._begun[self._slots[task]].start:
                seconds += now - start
        return seconds

    def _left(self, task: PendingTask) -> float:
        """Return the seconds that a call may go on; those of the timeout before it has begun."""
        start = self._begun[self._slots[task]].start
        if not start:
            return self._timeout
        return start + self._timeout * len(task.requests) - time.perf_counter()

    def _time_left(self) -> float | None:
        """Return the seconds until a call under way has taken too long, or the moment comes."""
        left = min(map(self._left, self._running.values()), default=self._timeout)
        left = min(left, self._moment - self.now())
        return None if left == inf else max(0.0, left)

    def _recover(self) -> list[Completed]:
        """End a pool in which a worker died, and let what is lost with it wait for a new one."""
        now = time.perf_counter()
        late, slots, workers = self._late, dict(self._slots), self._end_pool()
        done = self._collect(filter(_given, self._running))
        self._barren += 1
        again: list[Request] = []
        for task in self._running.values():
            begun = self._begun[slots[task]]
            if not begun.start:
                again += task.requests
                continue
            self._barren = 0
            seconds = now - begun.start
            if late and task not in late and not task.suspect:  # killed beside others
                self._busy += seconds
                again += task.requests
                continue
            failure = ""
            if task.suspect and task in late:
                failure = f"the worker process took longer than {self._timeout:g} seconds"
            elif task.suspect:
                ending = _ending(workers[begun.worker])
                failure = f"the worker process died twice in this evaluation ({ending})"
            done += self._lose(task, failure, seconds, worker_name(begun.worker))
        self._running.clear()
        self._slots.clear()
        self._waiting.put_back(again)
        if self._barren > 1:  # one may have bad luck
            raise SearchError(
                "worker processes die before they evaluate anything: read what they print, and "
                'start the search of a script under `if __name__ == "__main__":`'
            )
        return done

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # Of groups no more than run: what waits may yet be dealt another way.
            slots = self.capacity if self._group == 1 else self.workers
            self._begun = self._context.RawArray(Begun, slots)
            self._free = list(range(slots))
            self._pool = ProcessPoolExecutor(
                self.workers,
                self._context,
                initializer=initialise,
                initargs=(self._evaluate, self._begun, self._context.Value("i", 0)),
            )
        return self._pool

    def _end_workers(self) -> None:
        self._slots.clear()
        self._end_pool()

    def _end_pool(self) -> dict[int, BaseProcess]:
        """Kill the workers, whatever they do, and return them by id, all of them ended."""
        pool = self._pool
        if pool is None:
            return {}
        workers: dict[int, BaseProcess] = dict(pool._processes or {})
        for worker in workers.values():
            worker.kill()
        self._pool, self._broken, self._late = None, False, set()
        if sys.version_info < (3, 11, 5):
            # Its thread would wait for dead workers to read what they were sent (gh-94777).
            pool._call_queue._reader.close()  # type: ignore[attr-defined]
        pool.shutdown()
        for worker in workers.values():
            worker.join()
        return workers


def _given(future: Future[TaskOutcome]) -> bool:
    """Return whether there is an outcome; a call that a breaking pool takes may never be done."""
    return future.done() and future.exception() is None


def _lost(future: Future[TaskOutcome]) -> bool:
    """Return whether a call that is done went down with its pool."""
    return isinstance(future.exception(), BrokenProcessPool)


def _ending(process: BaseProcess) -> str:
    """Return the end of a process in words."""
    code = process.exitcode
    if code is None or code >= 0:
        return f"exit code {code}"
    return f"signal {-code}, {signal.strsignal(-code)}"
