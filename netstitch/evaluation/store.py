"""Every finished evaluation, in an SQLite file, before the search goes on.

Write-ahead logging keeps what was written when the process is killed.
"""

import sqlite3
from pathlib import Path
from types import TracebackType

import numpy as np

from netstitch.errors import StorageError
from netstitch.optimization import Evaluation

_TABLE = """
CREATE TABLE evaluations (
    ordinal INTEGER PRIMARY KEY,
    genotype BLOB NOT NULL,      -- one unsigned 16-bit integer per switch
    signature BLOB NOT NULL,     -- digest of the active switches and their choices
    accuracy REAL,               -- NULL where the evaluation failed
    multiply_adds INTEGER,
    seconds REAL NOT NULL,
    failure TEXT
)
"""


class Store:
    """Appends evaluations to a new file; a context manager that closes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._connection = sqlite3.connect(path, isolation_level=None)
        except sqlite3.Error as error:
            raise self._failed(error) from error
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(_TABLE)
        except sqlite3.Error as error:
            self.close()
            raise self._failed(error) from error

    def add(self, evaluation: Evaluation) -> None:
        """Write one evaluation; raises StorageError when it cannot, the earlier ones are safe."""
        accuracy, multiply_adds = evaluation.objectives or (None, None)
        row = (
            evaluation.ordinal,
            evaluation.genotype.astype(np.uint16).tobytes(),
            evaluation.signature,
            accuracy,
            None if multiply_adds is None else int(multiply_adds),
            evaluation.seconds,
            evaluation.failure,
        )
        try:
            self._connection.execute("INSERT INTO evaluations VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        except sqlite3.Error as error:
            raise self._failed(error) from error

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

    def _failed(self, error: sqlite3.Error) -> StorageError:
        return StorageError(
            f"{self.path} cannot be written ({error}); free space or give another folder: "
            "what was written before is intact"
        )
