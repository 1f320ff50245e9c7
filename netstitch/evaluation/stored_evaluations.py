"""The evaluations of a run, read while it goes on or afterwards, as arrays."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from netstitch.errors import StorageError
from netstitch.evaluation.store import check_file, checked_rows, damaged
from netstitch.evaluation.store_rows import DELIVERY, EVALUATION, Row


@dataclass(frozen=True, eq=False)
class StoredEvaluations:
    """Distinct evaluations in the order in which they were finished, n of them.

    genotypes: (n, l). accuracy: (n,), NaN where one failed; where it ended early, the most that it
    can be. multiply_adds: (n,), 0 where one failed. seconds: (n,), that each took. bounded: (n,),
    whether it ended early. failures: what is said of those that failed, by their place.
    searches: by population size, what the search was given.
    """

    genotypes: NDArray[np.uint16]
    accuracy: NDArray[np.float64]
    multiply_adds: NDArray[np.int64]
    seconds: NDArray[np.float64]
    bounded: NDArray[np.bool_]
    failures: dict[int, str]
    searches: dict[int, "DeliveredResults"]

    def __len__(self) -> int:
        return len(self.accuracy)


@dataclass(frozen=True, eq=False)
class DeliveredResults:
    """What a search was given, m results in order.

    evaluation: (m,), the place of each among the evaluations. skipped: (m,), proposals so far that
    were known. elapsed: (m,), seconds of the search so far.
    """

    evaluation: NDArray[np.int64]
    skipped: NDArray[np.int64]
    elapsed: NDArray[np.float64]


def read_evaluations(path: Path) -> StoredEvaluations:
    """All of a run's evaluations; the file is not changed, and may be written meanwhile.

    Raises StorageError, naming the file, where it is missing, damaged or of another version.
    """
    if not path.is_file():
        raise StorageError(f"{path} is missing; it holds what was evaluated: put it back")
    try:
        with closing(_opened(path)) as connection:
            check_file(connection, path)
            connection.execute("BEGIN")  # both tables as of one moment
            query = "SELECT * FROM evaluations ORDER BY ordinal"
            rows = list(checked_rows(connection, path, query, EVALUATION))
            query = "SELECT * FROM deliveries ORDER BY search, number"
            given = list(checked_rows(connection, path, query, DELIVERY))
    except sqlite3.Error as error:
        raise damaged(path, error) from error
    return _arrays(path, rows, given)


def _opened(path: Path) -> sqlite3.Connection:
    """Read-only; without a log beside the file nobody writes it, and SQLite need make none."""
    logged = path.with_name(f"{path.name}-wal").exists()
    place = f"file:{quote(str(path.absolute()))}?{'mode=ro' if logged else 'immutable=1'}"
    connection = sqlite3.connect(place, uri=True, isolation_level=None)
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    return connection


def _arrays(path: Path, rows: list[Row], given: list[Row]) -> StoredEvaluations:
    lengths = {len(row[1]) for row in rows}
    if len(lengths) > 1 or any(length % 2 or not length for length in lengths):
        raise damaged(path, f"genotypes have {min(lengths)} to {max(lengths)} bytes")
    place = {row[0]: index for index, row in enumerate(rows)}
    missing = next((row[2] for row in given if row[2] not in place), None)
    if missing is not None:
        raise damaged(path, f"there is no evaluation {missing}")
    genotypes = np.frombuffer(b"".join(row[1] for row in rows), np.uint16)
    searches: dict[int, DeliveredResults] = {}
    for search in dict.fromkeys(row[0] for row in given):
        own = [row for row in given if row[0] == search]
        searches[search] = DeliveredResults(
            np.array([place[row[2]] for row in own], np.int64),
            np.array([row[4] for row in own], np.int64),
            np.array([row[5] for row in own], np.float64),
        )
    return StoredEvaluations(
        genotypes.reshape(len(rows), -1) if rows else genotypes.reshape(0, 0),
        np.array([np.nan if row[3] is None else row[3] for row in rows], np.float64),
        np.array([row[4] or 0 for row in rows], np.int64),
        np.array([row[5] for row in rows], np.float64),
        np.array([bool(row[9]) for row in rows], np.bool_),
        {index: str(row[8]) for index, row in enumerate(rows) if row[8] is not None},
        searches,
    )
