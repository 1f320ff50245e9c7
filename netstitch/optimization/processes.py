"""Evaluations in processes of their own, many at once, of which some may die.

The pool of the standard library gives up when a worker dies, and does not say in which evaluation.
Here workers write down what they begin where the parent can read it, so that a new pool goes on,
and an evaluation that kills its worker is told from those that ran beside it.
"""

import ctypes
import multiprocessing
import pickle
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

from netstitch.errors import SearchError
from netstitch.optimization.executor import Completed, describe, worker_name
from netstitch.optimization.problem import Genotype
from netstitch.optimization.process_worker import Begun, Evaluate, Outcome, initialise, run


@dataclass(eq=False)
class Call:
    """An evaluation that is not done.

    place: where its worker writes `Begun`. suspect: whether it was under way when a worker died.
    """

    ticket: int
    genotype: Genotype
    place: int = 0
    suspect: bool = False


class ProcessExecutor:
    """Evaluates in worker processes, first come first served.

    evaluate: objective values of a genotype. It is pickled and goes to each worker once, so it is a
        function of a module, or an object of a class of one.
    workers: how many evaluations run at once, each in a process of its own.
    capacity: how many may be submitted, those that wait for a worker included; by default as many
        as there are workers. With the population's size as many as there are loops wait in the
        queue.

    When a worker dies, all evaluations that were under way are suspects, and are run once more, one
    at a time and nothing beside them. One in which a worker dies again is a failed evaluation.

    Workers are started when they are first needed, after `cancel` and `close` too. They leave
    interruptions from the keyboard to this process, and end when it does, however that happens.

    Raises SearchError for no workers, less capacity than workers, and an evaluation that cannot be
    pickled; and, from `submit` or `wait`, when workers do not start.
    """

    def __init__(self, evaluate: Evaluate, workers: int, *, capacity: int | None = None) -> None:
        self.capacity = workers if capacity is None else capacity
        if workers < 1 or self.capacity < workers:
            raise SearchError(
                f"{workers} worker processes and room for {self.capacity} evaluations: give at "
                "least 1 worker, and room for as many evaluations"
            )
        self.workers = workers
        self._context = multiprocessing.get_context("spawn")  # threads of torch forbid fork
        pickled = _pickled(evaluate)
        # Shared, since a pipe that it fills would hold up `submit` until the worker has started.
        self._evaluate = self._context.RawArray(ctypes.c_char, len(pickled))
        self._evaluate.raw = pickled
        self._pool: ProcessPoolExecutor | None = None
        self._broken = False  # the pool takes no more calls
        self._barren = 0  # pools in a row that broke before they began anything
        self._begun: ctypes.Array[Begun]  # of this pool's evaluations, by place
        self._places: list[int] = []  # the free ones
        self._waiting: deque[Call] = deque()
        self._running: dict[Future[Outcome], Call] = {}  # in the pool, by order of submission
        self._busy = 0.0  # seconds of evaluations that are over

    def submit(self, ticket: int, genotype: Genotype) -> None:
        self._waiting.append(Call(ticket, genotype))
        self._start()

    def wait(self) -> list[Completed]:
        """All results that are ready, at least one; none where nothing is under way."""
        done: list[Completed] = []
        while not done and (self._running or self._waiting):
            self._start()
            ready = wait(self._running, return_when=FIRST_COMPLETED).done
            if self._broken or any(map(_lost, ready)):
                done = self._recover()
            else:
                done = [self._take(future) for future in list(self._running) if future in ready]
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
                under_way += future.result()[2]
            elif start := self._begun[call.place].start:
                under_way += now - start
        return self._busy + under_way

    def cancel(self) -> None:
        """Forget what is running and waiting, and kill the workers, whatever they do."""
        self._busy = self.busy()
        self._waiting.clear()
        self._running.clear()
        self._end()

    def close(self) -> None:
        """As `cancel`."""
        self.cancel()

    def _start(self) -> None:
        """Put into the pool what waits; a suspect only alone."""
        while self._waiting and not self._broken:
            others = self._running.values()
            if others and (self._waiting[0].suspect or any(call.suspect for call in others)):
                return
            pool = self._open()
            if not self._places:
                return
            call = self._waiting[0]
            call.place = self._places.pop()
            self._begun[call.place].start = 0.0
            try:
                with _interruptions_blocked():
                    future = pool.submit(run, call.place, call.genotype)
            except BrokenProcessPool:
                self._broken = True
                return
            except OSError as error:
                raise SearchError(
                    f"a worker process cannot be started ({describe(error)}): give fewer workers"
                ) from error
            self._waiting.popleft()
            self._running[future] = call

    def _take(self, future: Future[Outcome]) -> Completed:
        call = self._running.pop(future)
        self._places.append(call.place)
        objectives, failure, seconds = future.result()
        self._busy += seconds
        self._barren = 0
        worker = worker_name(self._begun[call.place].worker)
        return Completed(call.ticket, objectives, failure, seconds, worker)

    def _recover(self) -> list[Completed]:
        """End a pool in which a worker died, and let what is lost with it wait for a new one."""
        now = time.perf_counter()
        workers = self._end()
        done = [self._take(future) for future in list(self._running) if _given(future)]
        self._barren += 1
        again: list[Call] = []
        for call in self._running.values():
            begun = self._begun[call.place]
            if not begun.start:
                again.append(call)
                continue
            self._barren = 0
            self._busy += now - begun.start
            if call.suspect:
                ending = _ending(workers[begun.worker])
                failure = f"the worker process died twice in this evaluation ({ending})"
                worker = worker_name(begun.worker)
                done.append(Completed(call.ticket, None, failure, now - begun.start, worker))
            else:
                call.suspect = True
                again.append(call)
        self._running.clear()
        again.sort(key=lambda call: not call.suspect)
        self._waiting.extendleft(reversed(again))
        if self._barren > 1:  # one may have bad luck
            raise SearchError(
                "worker processes die before they evaluate anything: read what they print, and "
                'start the search of a script under `if __name__ == "__main__":`'
            )
        return done

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._begun = self._context.RawArray(Begun, self.capacity)
            self._places = list(range(self.capacity))
            self._pool = ProcessPoolExecutor(
                self.workers,
                self._context,
                initializer=initialise,
                initargs=(self._evaluate, self._begun),
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


@contextmanager
def _interruptions_blocked() -> Iterator[None]:
    """Processes that start meanwhile never see one, not even before they are initialised."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
