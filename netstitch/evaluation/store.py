"""Every finished evaluation, in an SQLite file, before the search goes on.

    evaluations   each distinct subnetwork once, in the order in which they were finished
    deliveries    which result each search was given when: a search that is given the same results
                  in the same order proposes the same, so that a run can go on where it was
    capacity      how many evaluations were under way at a time, on which the order depends too

Write-ahead logging with a flush for each evaluation keeps what was written when the process is
killed, and when the power fails.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import cast

import numpy as np

from netstitch.errors import StorageError
from netstitch.evaluation.store_tables import (
    APPLICATION,
    TABLES,
    VERSION,
    DeliveryRow,
    EvaluationRow,
    Named,
    check_file,
    checked_rows,
    checksum,
    connect,
    read_objectives,
    store_damaged,
)
from netstitch.optimization import Evaluation
from netstitch.optimization.executors.replay import Arrival, KnownResult, known_by
from netstitch.optimization.problem import Genotype

_REPLACE = f"REPLACE INTO evaluations VALUES ({', '.join('?' * 10)})"
_DELIVER = f"INSERT INTO deliveries VALUES ({', '.join('?' * 7)})"


@dataclass(frozen=True)
class Delivery:
    """A result that a search was given; see the table."""

    signature: bytes
    round: int
    elapsed: float


class Store:
    """The file, open for writing; a context manager that closes it.

    Args:
        path: The file.
        objectives: Names of the values of an evaluation, in their order.
        create: Whether it is to be new; otherwise what is there is read and checked.
        clock: Seconds since 1970.

    Raises:
        StorageError: The file cannot be written, is damaged, or is of another version.
    """

    def __init__(
        self,
        path: Path,
        objectives: Sequence[str],
        *,
        create: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self._objectives, self._clock = tuple(objectives), clock
        if not create and not path.exists():
            raise StorageError(
                f"{path} is missing; it holds what was evaluated: put it back, or run anew"
            )
        try:
            if create:
                path.touch(exist_ok=False)
            self._connection = connect(path, "mode=rw")
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error
        try:
            if create:
                self._make()
            check_file(self._connection, path)
            self._connection.execute("PRAGMA synchronous=FULL")
            self._read_signatures()
        except sqlite3.Error as error:
            self.close()
            raise self._failed(error) if create else store_damaged(path, error) from error
        except StorageError:
            self.close()
            raise

    def keep(self, arrivals: Sequence[tuple[Arrival | Evaluation, KnownResult]]) -> None:
        """Write what was evaluated, before a search is given it.

        What is there already stays, but for evaluations that ended early.

        Raises:
            StorageError: It cannot be written; earlier evaluations are safe.
        """
        fresh = count(len(self._ordinals) + 1)
        written = [
            (self._ordinals.get(cast(bytes, arrival.signature)) or next(fresh), arrival, known)
            for arrival, known in arrivals
            if arrival.signature not in self._ordinals or arrival.signature in self._stopped_early
        ]
        with self._transaction():
            for ordinal, arrival, known in written:
                row = self._row(ordinal, arrival.genotype, arrival.signature, known)
                self._connection.execute(_REPLACE, row)
        for ordinal, arrival, known in written:
            self._ordinals[cast(bytes, arrival.signature)] = ordinal
            self._stopped_early.discard(arrival.signature)
            if known.stopped_early:
                self._stopped_early.add(arrival.signature)

    def add(self, search: int, evaluation: Evaluation) -> None:
        """Write what a search is given next, and its evaluation where it is not there yet.

        What was given before is left as it is where it is the same; where it is not, the search
        went another way, and what was written of it from there on goes.

        Raises:
            StorageError: It cannot be written; earlier evaluations are safe.
        """
        signature, number = evaluation.signature, evaluation.ordinal
        assert isinstance(signature, bytes)
        delivered = self._delivered.setdefault(search, [])
        if delivered[number - 1 : number] == [signature]:
            return
        if signature not in self._ordinals:
            self.keep([(evaluation, known_by(evaluation))])
        row = (
            search,
            number,
            self._ordinals[signature],
            evaluation.round,
            evaluation.skipped,
            evaluation.elapsed,
        )
        with self._transaction():
            if number <= len(delivered):
                self._connection.execute(
                    "DELETE FROM deliveries WHERE search = ? AND number >= ?", (search, number)
                )
            self._connection.execute(_DELIVER, (*row, checksum(row)))
        delivered[number - 1 :] = [signature]

    def known(self) -> dict[Hashable, KnownResult]:
        """Return the results of all evaluations by signature.

        Raises:
            StorageError: One is damaged, or has other objectives than this store.
        """
        query = "SELECT * FROM evaluations ORDER BY ordinal"
        rows = [EvaluationRow(*row) for row in checked_rows(self._connection, self.path, query)]
        values = map(self._values, read_objectives(self.path, [row.objectives for row in rows]))
        return {
            row.signature: KnownResult(
                objectives, row.failure, row.seconds, row.worker, bool(row.bounded)
            )
            for row, objectives in zip(rows, values, strict=True)
        }

    def deliveries(self, search: int, after: int = 0) -> list[Delivery]:
        """Return the results that a search was given, behind the first `after`."""
        signatures = {ordinal: signature for signature, ordinal in self._ordinals.items()}
        rows = checked_rows(
            self._connection,
            self.path,
            f"SELECT * FROM deliveries WHERE search = {search:d} AND number > {after:d} "
            "ORDER BY number",
        )
        try:
            return [
                Delivery(signatures[row.evaluation], row.round, row.elapsed)
                for row in map(DeliveryRow._make, rows)
            ]
        except KeyError as error:
            raise store_damaged(self.path, f"there is no evaluation {error}") from None

    def delivered(self, search: int) -> int:
        """Return the number of results that a search was given."""
        return len(self._delivered.get(search, ()))

    def capacity(self, places: int) -> int:
        """Return how many evaluations are under way at a time: the places that were first told.

        Raises:
            StorageError: It cannot be written, or is damaged.
        """
        rows = checked_rows(self._connection, self.path, "SELECT * FROM capacity")
        for (before,) in rows:
            return int(before)
        with self._transaction():
            row = (places, checksum((places,)))
            self._connection.execute("INSERT INTO capacity VALUES (?, ?)", row)
        return places

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make(self) -> None:
        self._connection.execute("PRAGMA journal_mode=WAL")
        with self._transaction():
            for table in TABLES:
                self._connection.execute(table)
            self._connection.execute(f"PRAGMA application_id={APPLICATION}")
            self._connection.execute(f"PRAGMA user_version={VERSION}")

    def _read_signatures(self) -> None:
        """Keep which evaluations there are, which of them ended early, and who was given them."""
        read = self._connection.execute
        self._ordinals: dict[bytes, int] = dict(read("SELECT signature, ordinal FROM evaluations"))
        early = read("SELECT signature FROM evaluations WHERE bounded")
        self._stopped_early: set[Hashable] = {signature for (signature,) in early}
        self._delivered: dict[int, list[bytes]] = {}
        for search, signature in read(
            "SELECT search, signature FROM deliveries JOIN evaluations ON evaluation = ordinal "
            "ORDER BY search, number"
        ):
            self._delivered.setdefault(search, []).append(signature)

    def _row(
        self, ordinal: int, genotype: Genotype, signature: Hashable, known: KnownResult
    ) -> tuple[object, ...]:
        named = None
        if known.objectives is not None:
            named = json.dumps(dict(zip(self._objectives, known.objectives, strict=True)))
        row = (
            ordinal,
            genotype.astype(np.uint16).tobytes(),
            signature,
            named,
            known.seconds,
            self._clock(),
            known.worker,
            known.failure,
            int(known.stopped_early),
        )
        return (*row, checksum(row))

    def _values(self, named: Named | None) -> tuple[float, ...] | None:
        if named is None:
            return None
        if tuple(named) != self._objectives:
            raise StorageError(
                f"{self.path} holds {', '.join(named)} of each evaluation, and the search is for "
                f"{', '.join(self._objectives)}; search for the same, or into a new folder"
            )
        return tuple(named.values())

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Write all of it or nothing; raises StorageError where that cannot be."""
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> StorageError:
        return StorageError(
            f"{self.path} cannot be written ({error}); free space or give another folder: "
            "what was written before is intact"
        )
