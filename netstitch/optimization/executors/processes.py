"""Evaluations in processes of their own, many at once, of which some may die.

The pool of the standard library gives up when a worker dies, and does not say in which evaluation.
Here workers write down what they begin where the parent can read it, so that a new pool goes on,
and an evaluation that kills its worker is told from those that ran beside it.
"""

import ctypes
import pickle
import signal
import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from math import inf
from multiprocessing.process import BaseProcess

from netstitch.errors import SearchError
from netstitch.optimization.executors.executor import (
    Asked,
    Completed,
    completed,
    describe,
    worker_name,
)
from netstitch.optimization.executors.process_start import interruptions_blocked, start_context
from netstitch.optimization.executors.process_worker import (
    Begun,
    Evaluate,
    Outcome,
    initialise,
    run,
)
from netstitch.optimization.executors.queue import Choose, EvaluationQueue
from netstitch.optimization.problem import Genotype


@dataclass(eq=False)
class PendingTask:
    """Evaluations that go to a worker together, and are not done.

    place: where the worker writes `Begun`. suspect: whether they were under way when a worker
    died. late: whether they were ended since they took too long.
    """

    items: Sequence[Asked]
    place: int = 0
    suspect: bool = False
    late: bool = False


class ProcessExecutor:
    """Evaluates in worker processes, first come first served.

    evaluate: objective values of a genotype. It is pickled and goes to each worker once, so it is a
        function of a module, or an object of a class of one.
    workers: how many calls run at once, each in a process of its own.
    capacity: how many evaluations may be submitted, those that wait for a worker included; by
        default as many as the workers take at once. With the population's size as many as there
        are loops wait in the queue.
    group: how many genotypes a worker may be given at once, where `evaluate` is a `Together`. Those
        that wait are dealt to the free workers, as many to each.
    choose: which of those that wait go with the oldest; by default the next ones.
    timeout: seconds that each genotype of a call may take; a worker that needs more is killed.
    preload: modules that workers find loaded, see `start_server`.

    When a worker dies, all evaluations that were under way are suspects, and are run once more, one
    at a time and nothing beside them; where one took too long, only what its worker was given is.
    One in which a worker dies again is a failed evaluation.

    Workers are started when they are first needed, after `cancel` and `close` too. They leave
    interruptions from the keyboard to this process, and end when it does, however that happens.

    Raises SearchError for no workers, less capacity than workers, a group or timeout that is none,
    and an evaluation that cannot be pickled; and, from `submit` or `wait`, when workers do not
    start.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        workers: int,
        *,
        capacity: int | None = None,
        group: int = 1,
        choose: Choose | None = None,
        timeout: float | None = None,
        preload: Sequence[str] = (__name__,),
    ) -> None:
        self.capacity = workers * group if capacity is None else capacity
        if workers < 1 or self.capacity < workers:
            raise SearchError(
                f"{workers} worker processes and room for {self.capacity} evaluations: give at "
                "least 1 worker, and room for as many evaluations"
            )
        if group < 1 or (timeout is not None and not timeout > 0):
            raise SearchError(
                f"groups of {group} evaluations with a timeout of {timeout}: give at least 1, and "
                "a timeout over 0 seconds, or None"
            )
        self.workers = workers
        self._group, self._timeout = group, timeout
        self._context = start_context(preload)
        pickled = _pickled(evaluate)
        # Shared, since a pipe that it fills would hold up `submit` until the worker has started.
        self._evaluate = self._context.RawArray(ctypes.c_char, len(pickled))
        self._evaluate.raw = pickled
        self._pool: ProcessPoolExecutor | None = None
        self._broken = False  # the pool takes no more calls
        self._barren = 0  # pools in a row that broke before they began anything
        self._begun: ctypes.Array[Begun]  # of this pool's calls, by place
        self._places: list[int] = []  # the free ones
        self._waiting = EvaluationQueue(choose)
        self._suspects: deque[PendingTask] = deque()  # that wait to be run alone
        self._running: dict[
            Future[Outcome], PendingTask
        ] = {}  # in the pool, by order of submission
        self._busy = 0.0  # seconds of evaluations that are over

    def submit(self, ticket: int, genotype: Genotype, floor: float | None = None) -> None:
        self._waiting.put(Asked(ticket, genotype, floor))
        if self._group == 1:  # others are dealt when they are all there
            self._start()

    def wait(self) -> list[Completed]:
        """All results that are ready, at least one; none where nothing is under way."""
        done: list[Completed] = []
        while not done and (self._running or self._waiting or self._suspects):
            self._start()
            ready = wait(self._running, self._patience(), FIRST_COMPLETED).done
            if self._broken or any(map(_lost, ready)):
                done = self._recover()
            else:
                done = self._take_all(future for future in self._running if future in ready)
                if not ready:
                    self._end_late()
        if self._group == 1:
            self._start()
        return done

    def busy(self) -> float:
        """Seconds that the workers have spent on evaluations so far, all of them together.

        Starting up is none of it, and what was lost with a worker is.
        """
        now = time.perf_counter()
        under_way = 0.0
        for future, call in self._running.items():
            if _given(future):
                under_way += future.result()[1]
            elif start := self._begun[call.place].start:
                under_way += now - start
        return self._busy + under_way

    def cancel(self) -> None:
        """Forget what is running and waiting, and kill the workers, whatever they do."""
        self._busy = self.busy()
        self._waiting.clear()
        self._suspects.clear()
        self._running.clear()
        self._end()

    def close(self) -> None:
        """As `cancel`."""
        self.cancel()

    def _start(self) -> None:
        """Put into the pool what waits; a suspect only alone."""
        while (self._suspects or self._waiting) and not self._broken:
            others = self._running.values()
            if others and (self._suspects or any(call.suspect for call in others)):
                return
            pool = self._open()
            if not self._places:
                return
            call = self._suspects.popleft() if self._suspects else PendingTask(self._dealt())
            call.place = self._places.pop()
            self._begun[call.place].start = 0.0
            try:
                with interruptions_blocked():
                    future = pool.submit(run, call.place, call.items)
            except BrokenProcessPool:
                self._put_back(call)
                self._broken = True
                return
            except OSError as error:
                raise SearchError(
                    f"a worker process cannot be started ({describe(error)}): give fewer workers"
                ) from error
            self._running[future] = call

    def _dealt(self) -> list[Asked]:
        """What the next free worker is given, so that all free ones are given as much."""
        share = -(-len(self._waiting) // len(self._places))
        return self._waiting.take(min(self._group, share))

    def _put_back(self, call: PendingTask) -> None:
        """Let what no worker was given be the next again."""
        if call.suspect:
            self._suspects.appendleft(call)
        else:
            self._waiting.put_back(call.items)

    def _take_all(self, futures: Iterable[Future[Outcome]]) -> list[Completed]:
        return [result for future in list(futures) for result in self._take(future)]

    def _take(self, future: Future[Outcome]) -> list[Completed]:
        call = self._running.pop(future)
        self._places.append(call.place)
        attempts, seconds = future.result()
        self._busy += seconds
        self._barren = 0
        worker = worker_name(self._begun[call.place].worker)
        return completed(call.items, attempts, seconds, worker)

    def _patience(self) -> float | None:
        """Seconds until one of the calls that are under way will have taken too long."""
        if self._timeout is None:
            return None
        now = time.perf_counter()
        left = [
            start + self._timeout * len(call.items) - now
            for call in self._running.values()
            if (start := self._begun[call.place].start)
        ]
        return max(0.0, min(left, default=self._timeout))

    def _end_late(self) -> None:
        """Kill the workers of calls that took too long, which breaks the pool."""
        now = time.perf_counter()
        for call in self._running.values():
            begun = self._begun[call.place]
            limit = (self._timeout or inf) * len(call.items)
            if begun.start and now - begun.start >= limit:
                call.late = self._broken = True

    def _recover(self) -> list[Completed]:
        """End a pool in which a worker died, and let what is lost with it wait for a new one."""
        now = time.perf_counter()
        workers = self._end()
        done = self._take_all(filter(_given, self._running))
        self._barren += 1
        again: list[Asked] = []
        late = any(call.late for call in self._running.values())
        for call in self._running.values():
            begun = self._begun[call.place]
            if not begun.start:
                again += call.items
                continue
            self._barren = 0
            self._busy += now - begun.start
            if call.suspect:
                ending = (
                    f"took longer than {self._timeout:g} seconds"
                    if call.late
                    else f"died twice in this evaluation ({_ending(workers[begun.worker])})"
                )
                failure = f"the worker process {ending}"
                worker, [one] = worker_name(begun.worker), call.items
                done.append(Completed(one.ticket, None, failure, now - begun.start, worker))
            elif late and not call.late:  # killed with the others, and not to blame
                again += call.items
            else:
                self._suspects += [PendingTask([item], suspect=True) for item in call.items]
        self._running.clear()
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
            places = self.capacity if self._group == 1 else self.workers
            self._begun = self._context.RawArray(Begun, places)
            self._places = list(range(places))
            self._pool = ProcessPoolExecutor(
                self.workers,
                self._context,
                initializer=initialise,
                initargs=(self._evaluate, self._begun, self._context.Value("i", 0)),
            )
        return self._pool

    def _end(self) -> dict[int, BaseProcess]:
        """Kill the workers, whatever they do; gives them back by id, all of them ended."""
        pool = self._pool
        if pool is None:
            return {}
        workers: dict[int, BaseProcess] = dict(pool._processes or {})
        for worker in workers.values():
            worker.kill()
        self._pool, self._broken = None, False
        if sys.version_info < (3, 11, 5):
            # Its thread would wait for dead workers to read what they were sent (gh-94777).
            pool._call_queue._reader.close()  # type: ignore[attr-defined]
        pool.shutdown()
        for worker in workers.values():
            worker.join()
        return workers


def _pickled(evaluate: Evaluate) -> bytes:
    try:
        return pickle.dumps(evaluate)
    except Exception as error:  # whichever, it comes from pickling what was given
        raise SearchError(
            f"the evaluation cannot be sent to worker processes ({describe(error)}): give a "
            "function of a module, no lambda or inner function, or an object that can be pickled"
        ) from error


def _given(future: Future[Outcome]) -> bool:
    """Whether there is an outcome; a call that a pool takes as it breaks may never be done."""
    return future.done() and future.exception() is None


def _lost(future: Future[Outcome]) -> bool:
    """Whether a call that is done went down with its pool."""
    return isinstance(future.exception(), BrokenProcessPool)


def _ending(process: BaseProcess) -> str:
    """How a process ended, in words."""
    code = process.exitcode
    if code is None or code >= 0:
        return f"exit code {code}"
    return f"signal {-code}, {signal.strsignal(-code)}"
