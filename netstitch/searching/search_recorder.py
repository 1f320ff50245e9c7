"""Records a search in its run folder, so that it can go on after it was stopped.

Every result is stored before the search sees it, with the order of arrival. From time to time the
whole state of the search is saved too. A search that goes on starts from the last state and replays
the results that came after it, without evaluating anything again.
"""

import time
from collections.abc import Hashable, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from netstitch.errors import StorageError
from netstitch.evaluation import Store
from netstitch.files.folders import cannot_write
from netstitch.optimization import Engine, Evaluation, Objective, load_state, save_state
from netstitch.optimization.executors.replay import (
    Arrival,
    KnownResult,
    ReplayExecutor,
    known_by,
    known_by_arrival,
)
from netstitch.searching.search_progress import PROGRESS_FILE, SearchProgress, write_progress

PAUSE, SHARE = 5.0, 0.01
"""The least seconds between two saves, and the largest share of the time that they may take."""


class SearchRecorder:
    """The record of a run's searches, one for each population size.

    Attributes:
        known: The results of all evaluations, by signature.

    Args:
        folder: The run's folder.
        store: Its evaluations.
        objectives: The objectives of the searches, by which results are checked.
    """

    def __init__(self, folder: Path, store: Store, objectives: Sequence[Objective]) -> None:
        self.known: dict[Hashable, KnownResult] = store.known()
        self._folder, self._store = folder, store
        self._search = 0
        self._objectives = tuple(objectives)
        self._elapsed: dict[int, float] = {}  # of results that come again, by number

    def begin(self, search: int, engine: Engine, executor: ReplayExecutor) -> None:
        """Restore a search from its state; raise StorageError where the record is not consistent.

        Args:
            search: Its population size.
            engine: It is not run yet.
            executor: That of the engine, over `known`.
        """
        self._search, self._engine = search, engine
        self._saved, self._pause = time.monotonic(), PAUSE
        file = state_file(self._folder, search)
        with suppress(StorageError):  # a damaged one only saves time: the store tells all of it
            if file.exists():
                engine.restore(load_state(file))
        delivered = self._store.delivered(search)
        if engine.taken > delivered:
            raise StorageError(
                f"{file} knows {engine.taken:,} results of the search and {self._store.path} "
                f"{delivered:,}: remove {file.name}, and the search repeats itself from the store"
            )
        again = self._store.deliveries(search, engine.taken)
        self._elapsed = {
            number: one.elapsed for number, one in enumerate(again, start=engine.taken + 1)
        }
        # Of these the state has some already, which it has only not worked in.
        coming = again[engine.delivered - engine.taken :]
        rounds = groupby(coming, key=lambda one: one.round)
        executor.follow([[one.signature for one in together] for _, together in rounds])

    def capacity(self, places: int) -> int:
        """Return the number of evaluations under way, the same as when the run's searches began."""
        return self._store.capacity(places)

    @property
    def behind(self) -> bool:
        """True while the search replays results from before it was stopped."""
        return self._engine.taken < self._store.delivered(self._search)

    def arrive(self, arrivals: Sequence[Arrival]) -> None:
        """Write results that came and the search has not seen yet, so that they are not lost."""
        found = [(arrival, known_by_arrival(arrival, self._objectives)) for arrival in arrivals]
        self._store.keep(found)
        self.known |= {arrival.signature: known for arrival, known in found}

    def keep(self, evaluation: Evaluation) -> None:
        """Write a result before the search sees it."""
        self._store.add(self._search, evaluation)
        known = self.known.get(evaluation.signature)
        if known is None or known.stopped_early:  # a value is worth more than a bound
            self.known[evaluation.signature] = known_by(evaluation)
        if evaluation.ordinal in self._elapsed:
            self._engine.account.catch_up(self._elapsed.pop(evaluation.ordinal))

    def look(self) -> None:
        """Save the state if it is time to; called between two results."""
        now = time.monotonic()
        if now - self._saved >= self._pause:
            self.save()
            self._saved = time.monotonic()
            self._pause = max(PAUSE, (self._saved - now) / SHARE)

    def note(self, measured: SearchProgress) -> None:
        """Write the progress, for `netstitch status`."""
        write_progress(self._folder / PROGRESS_FILE, measured)

    def save(self) -> None:
        """Save the state of the search, unless it is in the middle of a change."""
        if self._engine.between_steps:
            save_state(state_file(self._folder, self._search), self._engine.state())


def state_file(folder: Path, search: int) -> Path:
    """Return the file of the state of the search of a population size."""
    return folder / f"search-{search}.state"


def remove_states(folder: Path) -> None:
    """Remove the states and the progress of searches that are done."""
    for file in (*folder.glob("search-*.state"), folder / PROGRESS_FILE):
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(file, error) from error
