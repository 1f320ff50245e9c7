"""The store: what was written is there, whatever happens to the process."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections import deque
from pathlib import Path

import numpy as np
import pytest

from netstitch.errors import StorageError
from netstitch.evaluation import Store
from netstitch.optimization import Evaluation


def evaluation(ordinal: int, *, failed: bool = False) -> Evaluation:
    return Evaluation(
        ordinal=ordinal,
        genotype=np.array([0, 1, ordinal % 3], dtype=np.int64),
        signature=bytes([ordinal]) * 16,
        objectives=None if failed else (0.25, 1_000_000.0 * ordinal),
        seconds=0.5,
        failure="DataError: NaN" if failed else None,
        worker="here 1",
        round=ordinal,
        elapsed=0.5 * ordinal,
    )


def large(ordinal: int) -> Evaluation:
    genotype = np.zeros(1000, dtype=np.int64)
    return Evaluation(ordinal, genotype, bytes(12) + ordinal.to_bytes(4), (0.5, 1.0), 0.1, None)


def rows(path: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT * FROM evaluations ORDER BY ordinal").fetchall()
    finally:
        connection.close()


def test_each_evaluation_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "evaluations.sqlite"
    with Store(path, clock=lambda: 9.0) as store:
        store.add(64, evaluation(1))
        store.add(64, evaluation(2, failed=True))
    first, second = rows(path)
    genotype = np.frombuffer(first[1], dtype=np.uint16)
    assert genotype.tolist() == [0, 1, 1]
    assert first[2:] == (b"\x01" * 16, 0.25, 1_000_000, 0.5, 9.0, "here 1", None)
    assert second[3:] == (None, None, 0.5, 9.0, "here 1", "DataError: NaN")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_rows_can_be_read_while_the_search_goes_on(tmp_path: Path) -> None:
    with Store(tmp_path / "e.sqlite") as store:
        for ordinal in range(1, 6):
            store.add(64, evaluation(ordinal))
            assert len(rows(store.path)) == ordinal


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"e\.sqlite cannot be written .*free space"):
        Store(tmp_path / "nowhere" / "e.sqlite")


def test_a_store_is_never_written_over(tmp_path: Path) -> None:
    with Store(tmp_path / "e.sqlite") as store:
        store.add(64, evaluation(1))
    with pytest.raises(StorageError, match="File exists"):
        Store(tmp_path / "e.sqlite")
    assert len(rows(tmp_path / "e.sqlite")) == 1


def test_a_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    with Store(tmp_path / "e.sqlite") as store:
        store.add(64, evaluation(1))
        # SQLite's own limit raises what a full disk does.
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StorageError, match=r"full.*what was written before is intact"):
            deque(store.add(64, large(ordinal)) for ordinal in range(2, 10_000))
    assert rows(tmp_path / "e.sqlite")[0][0] == 1


WRITER = """
import sys
from pathlib import Path
import numpy as np
from netstitch.evaluation import Store
from netstitch.optimization import Evaluation

store = Store(Path(sys.argv[1]))
ordinal = 0
while True:
    ordinal += 1
    genotype, signature = np.zeros(50, dtype=np.int64), ordinal.to_bytes(16)
    store.add(64, Evaluation(ordinal, genotype, signature, (0.5, 1.0), 0.1, None))
    print(ordinal, flush=True)
"""


@pytest.mark.slow
def test_a_killed_process_has_written_all_that_it_said(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 300:
                break
        os.kill(process.pid, signal.SIGKILL)
        said = [int(line) for line in process.stdout.read().splitlines() if line.strip()]
    found = [row[0] for row in rows(path)]
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= max(said, default=300)
