"""Every finished evaluation, in an SQLite file, before the search goes on.

    evaluations   each distinct subnetwork once, in the order in which they were finished
    deliveries    which result each search was given when: a search that is given the same results
                  in the same order proposes the same, so that a run can go on where it was

Write-ahead logging with a flush for each evaluation keeps what was written when the process is
killed, and when the power fails.
"""

import sqlite3
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, groupby
from pathlib import Path
from types import TracebackType
from typing import cast
from urllib.parse import quote
from zlib import crc32

import numpy as np
from pydantic import TypeAdapter, ValidationError

from netstitch.errors import StorageError
from netstitch.evaluation.store_rows import DELIVERY, EVALUATION, Row
from netstitch.files.documents import problem
from netstitch.optimization import Evaluation
from netstitch.optimization.executors.replay import Arrival, KnownResult, known_by
from netstitch.optimization.problem import Genotype

APPLICATION, VERSION = 0x6E737469, 4
"""What the file says that it is ("nsti"), and the version of its tables."""

_TABLES = (
    """
    CREATE TABLE evaluations (
        ordinal INTEGER PRIMARY KEY, -- of the run
        genotype BLOB NOT NULL,      -- one unsigned 16-bit integer per switch
        signature BLOB NOT NULL UNIQUE, -- digest of the active switches and their choices
        accuracy REAL,               -- on validation samples; NULL where the evaluation failed
        multiply_adds INTEGER,
        seconds REAL NOT NULL,       -- that it took
        finished REAL NOT NULL,      -- seconds since 1970
        worker TEXT NOT NULL,        -- machine and process that evaluated it
        failure TEXT,
        bounded INTEGER NOT NULL,    -- whether it ended early: accuracy is the most that it can be
        checksum INTEGER NOT NULL    -- CRC-32 of the row
    )
    """,
    """
    CREATE TABLE deliveries (
        search INTEGER NOT NULL,     -- its population size
        number INTEGER NOT NULL,     -- of the search, from 1
        evaluation INTEGER NOT NULL REFERENCES evaluations (ordinal),
        round INTEGER NOT NULL,      -- results of one round arrived together
        skipped INTEGER NOT NULL,    -- proposals so far that were known already
        elapsed REAL NOT NULL,       -- seconds of the search so far
        checksum INTEGER NOT NULL,   -- CRC-32 of the row
        PRIMARY KEY (search, number)
    ) WITHOUT ROWID
    """,
)

_INSERT = "INSERT INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_REPLACE = _INSERT.replace("INSERT", "REPLACE")
_DELIVER = "INSERT INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class Delivery:
    """A result that a search was given; see the table."""

    signature: bytes
    round: int
    elapsed: float


class Store:
    """The file, open for writing; a context manager that closes it.

    create: whether it is to be new; otherwise what is there is read and checked.

    Raises StorageError, naming the file, where it cannot be written, or is damaged, or of another
    version.
    """

    def __init__(
        self, path: Path, *, create: bool = True, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self._clock = clock
        if not create and not path.exists():
            raise StorageError(
                f"{path} is missing; it holds what was evaluated: put it back, or run anew"
            )
        try:
            if create:
                path.touch(exist_ok=False)
            self._connection = _connected(path)
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error
        try:
            if create:
                self._make()
            check_file(self._connection, path)
            self._connection.execute("PRAGMA synchronous=FULL")
            self._ordinals = self._read_ordinals()
            self._bounded = self._read_bounded()
            self._delivered = self._read_delivered()
        except sqlite3.Error as error:
            self.close()
            raise self._failed(error) if create else damaged(path, error) from error
        except StorageError:
            self.close()
            raise

    def keep(self, arrivals: Sequence[tuple[Arrival, KnownResult]]) -> None:
        """Write what was evaluated, before a search is given it.

        What is there already stays, but for evaluations that ended early.

        Raises StorageError when it cannot; the earlier ones are safe.
        """
        fresh = count(len(self._ordinals) + 1)
        written = [
            (self._ordinals.get(cast(bytes, arrival.signature)) or next(fresh), arrival, known)
            for arrival, known in arrivals
            if arrival.signature not in self._ordinals or arrival.signature in self._bounded
        ]
        try:
            with self._transaction():
                for ordinal, arrival, known in written:
                    row = self._row(ordinal, arrival.genotype, arrival.signature, known)
                    self._connection.execute(_REPLACE, row)
        except sqlite3.Error as error:
            raise self._failed(error) from error
        for ordinal, arrival, known in written:
            assert isinstance(arrival.signature, bytes)
            self._ordinals[arrival.signature] = ordinal
            self._note(arrival.signature, known)

    def _note(self, signature: Hashable, known: KnownResult) -> None:
        if known.stopped_early:
            self._bounded.add(signature)
        else:
            self._bounded.discard(signature)

    def add(self, search: int, evaluation: Evaluation) -> None:
        """Write what a search is given next, and its evaluation where it is not there yet.

        What was given before is left as it is where it is the same; where it is not, the search
        went another way, and what was written of it from there on goes.

        Raises StorageError when it cannot; the earlier ones are safe.
        """
        signature = evaluation.signature
        assert isinstance(signature, bytes)
        delivered = self._delivered.setdefault(search, [])
        if delivered[evaluation.ordinal - 1 : evaluation.ordinal] == [signature]:
            return
        ordinal = self._ordinals.get(signature)
        try:
            with self._transaction():
                if evaluation.ordinal <= len(delivered):
                    self._connection.execute(
                        "DELETE FROM deliveries WHERE search = ? AND number >= ?",
                        (search, evaluation.ordinal),
                    )
                if ordinal is None:
                    ordinal = len(self._ordinals) + 1
                    known = known_by(evaluation)
                    row = self._row(ordinal, evaluation.genotype, signature, known)
                    self._connection.execute(_INSERT, row)
                given = (
                    search,
                    evaluation.ordinal,
                    ordinal,
                    evaluation.round,
                    evaluation.skipped,
                    evaluation.elapsed,
                )
                self._connection.execute(_DELIVER, (*given, checksum(given)))
        except sqlite3.Error as error:
            raise self._failed(error) from error
        if signature not in self._ordinals:
            self._note(signature, known_by(evaluation))
        self._ordinals[signature] = ordinal
        del delivered[evaluation.ordinal - 1 :]
        delivered.append(signature)

    def known(self) -> dict[Hashable, KnownResult]:
        """Results of all evaluations by signature."""
        return {
            signature: KnownResult(
                None if accuracy is None else (accuracy, float(multiply_adds)),
                failure,
                seconds,
                worker,
                bool(bounded),
            )
            for (
                _,
                _,
                signature,
                accuracy,
                multiply_adds,
                seconds,
                _,
                worker,
                failure,
                bounded,
            ) in self._rows("SELECT * FROM evaluations ORDER BY ordinal", EVALUATION)
        }

    def deliveries(self, search: int, after: int = 0) -> list[list[Delivery]]:
        """What a search was given behind so many results, by rounds."""
        signatures = {ordinal: signature for signature, ordinal in self._ordinals.items()}
        rows = self._rows(
            f"SELECT * FROM deliveries WHERE search = {search:d} AND number > {after:d} "
            "ORDER BY number",
            DELIVERY,
        )
        try:
            given = [
                Delivery(signatures[ordinal], together, elapsed)
                for _, _, ordinal, together, _, elapsed in rows
            ]
        except KeyError as error:
            raise damaged(self.path, f"there is no evaluation {error}") from None
        return [list(group) for _, group in groupby(given, key=lambda one: one.round)]

    def delivered(self, search: int) -> int:
        """How many results a search was given."""
        return len(self._delivered.get(search, ()))

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _make(self) -> None:
        self._connection.execute("PRAGMA journal_mode=WAL")
        with self._transaction():
            for table in _TABLES:
                self._connection.execute(table)
            self._connection.execute(f"PRAGMA application_id={APPLICATION}")
            self._connection.execute(f"PRAGMA user_version={VERSION}")

    def _row(
        self, ordinal: int, genotype: Genotype, signature: Hashable, known: KnownResult
    ) -> tuple[object, ...]:
        accuracy, multiply_adds = known.objectives or (None, None)
        row = (
            ordinal,
            genotype.astype(np.uint16).tobytes(),
            signature,
            accuracy,
            None if multiply_adds is None else int(multiply_adds),
            known.seconds,
            self._clock(),
            known.worker,
            known.failure,
            int(known.stopped_early),
        )
        return (*row, checksum(row))

    def _rows(self, query: str, kind: TypeAdapter[Row]) -> Iterator[Row]:
        return checked_rows(self._connection, self.path, query, kind)

    def _read_ordinals(self) -> dict[bytes, int]:
        rows = self._connection.execute("SELECT signature, ordinal FROM evaluations")
        return dict(rows.fetchall())

    def _read_bounded(self) -> set[Hashable]:
        rows = self._connection.execute("SELECT signature FROM evaluations WHERE bounded")
        return {signature for (signature,) in rows}

    def _read_delivered(self) -> dict[int, list[bytes]]:
        rows = self._connection.execute(
            "SELECT search, signature FROM deliveries JOIN evaluations ON evaluation = ordinal "
            "ORDER BY search, number"
        )
        delivered: dict[int, list[bytes]] = {}
        for search, signature in rows:
            delivered.setdefault(search, []).append(signature)
        return delivered

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it or nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # a full disk ends it by itself
                self._connection.execute("ROLLBACK")
            raise

    def _failed(self, error: Exception) -> StorageError:
        return StorageError(
            f"{self.path} cannot be written ({error}); free space or give another folder: "
            "what was written before is intact"
        )


def _connected(path: Path) -> sqlite3.Connection:
    place = f"file:{quote(str(path.absolute()))}?mode=rw"  # which makes no file
    connection = sqlite3.connect(place, uri=True, isolation_level=None)
    # Damaged text is no other error than damaged numbers: checks and checksums find both.
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    return connection


def check_file(connection: sqlite3.Connection, path: Path) -> None:
    """Raise StorageError where the file is not a whole one of this version."""
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        problems = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # The latter where SQLite quotes a name that is damaged, in a message that is no text.
        raise damaged(path, error) from error
    if application != APPLICATION or version != VERSION:
        raise StorageError(
            f"{path} is not a store of evaluations of version {VERSION}; use the version of "
            "netstitch that wrote it"
        )
    if problems != ["ok"]:
        raise damaged(path, problems[0])


def checked_rows(
    connection: sqlite3.Connection, path: Path, query: str, kind: TypeAdapter[Row]
) -> Iterator[Row]:
    """Whole rows without their checksums; raises StorageError where one does not fit.

    kind: EVALUATION or DELIVERY.
    """
    try:
        for *row, written in connection.execute(query):
            if checksum(tuple(row)) != written:
                raise damaged(path, f"row {row[:2]} is not as it was written")
            yield kind.validate_python(tuple(row))
    except ValidationError as error:
        raise damaged(path, problem(error)) from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # Of its pages, of text that is none, or of a name in its schema that is none.
        raise damaged(path, error) from error


def checksum(row: tuple[object, ...]) -> int:
    """What the last column of a row is, of those before it."""
    return crc32(repr(row).encode())


def damaged(path: Path, reason: object) -> StorageError:
    """What is said of a store that is not whole."""
    why = " ".join(str(reason).split())
    return StorageError(
        f"{path} is damaged ({why}); put back a copy of the run folder, or run anew"
    )
