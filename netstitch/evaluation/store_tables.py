"""The tables of a store of evaluations, and the checks that a file of them is whole."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from zlib import crc32

from pydantic import TypeAdapter, ValidationError

from netstitch.errors import StorageError
from netstitch.files.documents import STRICT, problem
from netstitch.text import unbroken

APPLICATION, VERSION = 0x6E737469, 6
"""The mark of the file ("nsti"), and the version of its tables."""

TABLES = (
    """
    CREATE TABLE evaluations (
        ordinal INTEGER PRIMARY KEY CHECK (ordinal > 0), -- of the run
        genotype BLOB NOT NULL CHECK (length(genotype) % 2 = 0), -- 16 bits, unsigned, per switch
        signature BLOB NOT NULL UNIQUE, -- digest of the active switches and their choices
        objectives TEXT,             -- JSON, values by name; NULL where the evaluation failed
        seconds REAL NOT NULL CHECK (seconds BETWEEN 0 AND 1e12), -- that it took
        finished REAL NOT NULL CHECK (finished BETWEEN 0 AND 1e12), -- seconds since 1970
        worker TEXT NOT NULL,        -- machine and process that evaluated it
        failure TEXT,
        bounded INTEGER NOT NULL CHECK (bounded IN (0, 1)), -- ended early: the best they can be
        checksum INTEGER NOT NULL    -- CRC-32 of the row
    ) STRICT
    """,
    """
    CREATE TABLE deliveries (
        search INTEGER NOT NULL CHECK (search >= 0), -- its population size
        number INTEGER NOT NULL CHECK (number >= 0), -- of the search, from 1
        evaluation INTEGER NOT NULL REFERENCES evaluations (ordinal),
        round INTEGER NOT NULL CHECK (round >= 0), -- results of one round arrived together
        skipped INTEGER NOT NULL CHECK (skipped >= 0), -- proposals so far that were known already
        elapsed REAL NOT NULL CHECK (elapsed BETWEEN 0 AND 1e12), -- seconds of the search so far
        checksum INTEGER NOT NULL,   -- CRC-32 of the row
        PRIMARY KEY (search, number)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE capacity (
        under_way INTEGER NOT NULL CHECK (under_way > 0), -- evaluations at a time, of all searches
        checksum INTEGER NOT NULL    -- CRC-32 of the row
    ) STRICT
    """,
)


class EvaluationRow(NamedTuple):
    """A row of the table evaluations."""

    ordinal: int
    genotype: bytes
    signature: bytes
    objectives: str | None
    seconds: float
    finished: float
    worker: str
    failure: str | None
    bounded: int


class DeliveryRow(NamedTuple):
    """A row of the table deliveries."""

    search: int
    number: int
    evaluation: int
    round: int
    skipped: int
    elapsed: float


Named = dict[str, float]
"""Objectives by name."""

_ROWS = TypeAdapter(list[Named | None], config=STRICT)


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a file that is there.

    Args:
        path: The file.
        mode: Parameters of SQLite's URI, such as "mode=rw".
    """
    uri = f"file:{quote(str(path.absolute()))}?{mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    # Damaged text is no other error than damaged numbers: checks and checksums find both.
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    return connection


def check_file(connection: sqlite3.Connection, path: Path) -> None:
    """Raise StorageError unless the file is a whole one of this version.

    SQLite itself checks the types and bounds that the tables declare.
    """
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        problems = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
        schema = connection.execute("SELECT sql FROM sqlite_master")
        declared = {str(row[0]).strip() for row in schema}
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # The latter where SQLite quotes a name that is damaged, in a message that is no text.
        raise store_damaged(path, error) from error
    if application != APPLICATION or version != VERSION:
        raise StorageError(
            f"{path} is not a store of evaluations of version {VERSION}; use the version of "
            "netstitch that wrote it"
        )
    if problems != ["ok"]:
        raise store_damaged(path, problems[0])
    if not {table.strip() for table in TABLES} <= declared:
        raise store_damaged(path, "its tables are not as they were made")


def checked_rows(
    connection: sqlite3.Connection, path: Path, query: str
) -> Iterator[tuple[Any, ...]]:
    """Yield whole rows without their checksums.

    Raises:
        StorageError: A row is not as it was written.
    """
    try:
        for whole in connection.execute(query):
            row = whole[:-1]
            if checksum(row) != whole[-1]:
                raise store_damaged(path, f"row {row[:2]} is not as it was written")
            yield row
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # Of its pages, of text that is none, or of a name in its schema that is none.
        raise store_damaged(path, error) from error


def read_objectives(path: Path, texts: Sequence[str | None]) -> list[Named | None]:
    """Return the values by name of each row, None where it has none.

    Raises:
        StorageError: A text holds no such values.
    """
    try:
        # One document of all: a call for each row takes several times as long.
        found = _ROWS.validate_json(f"[{','.join(text or 'null' for text in texts)}]")
    except ValidationError as error:
        raise store_damaged(path, problem(error)) from error
    if len(found) != len(texts):
        raise store_damaged(path, "a row holds the objectives of several")
    return found


def checksum(row: tuple[object, ...]) -> int:
    """Return the checksum of a row, its last column, from those before it."""
    return crc32(repr(row).encode())


def store_damaged(path: Path, reason: object) -> StorageError:
    """Return the error for a store that is not whole."""
    return StorageError(
        f"{path} is damaged ({unbroken(reason)}); put back a copy of the run folder, or run anew"
    )
