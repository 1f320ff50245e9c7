"""The store: what was written is there, whatever happens to the process."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import deque
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netstitch.errors import StorageError
from netstitch.evaluation import Store
from netstitch.optimization import Completed, Evaluation
from netstitch.optimization.executors.replay import Arrival, KnownResult, known_by

NAMES = ("accuracy", "multiply-adds")


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
    with Store(path, NAMES, clock=lambda: 9.0) as store:
        store.add(64, evaluation(1))
        store.add(64, evaluation(2, failed=True))
    first, second = rows(path)
    genotype = np.frombuffer(first[1], dtype=np.uint16)
    assert genotype.tolist() == [0, 1, 1]
    values = '{"accuracy": 0.25, "multiply-adds": 1000000.0}'
    assert first[2:-1] == (b"\x01" * 16, values, 0.5, 9.0, "here 1", None, 0)
    assert second[3:-1] == (None, 0.5, 9.0, "here 1", "DataError: NaN", 0)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_rows_can_be_read_while_the_search_goes_on(tmp_path: Path) -> None:
    with Store(tmp_path / "e.sqlite", NAMES) as store:
        for ordinal in range(1, 6):
            store.add(64, evaluation(ordinal))
            assert len(rows(store.path)) == ordinal


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"e\.sqlite cannot be written .*free space"):
        Store(tmp_path / "nowhere" / "e.sqlite", NAMES)


def test_a_store_is_never_written_over(tmp_path: Path) -> None:
    with Store(tmp_path / "e.sqlite", NAMES) as store:
        store.add(64, evaluation(1))
    with pytest.raises(StorageError, match="File exists"):
        Store(tmp_path / "e.sqlite", NAMES)
    assert len(rows(tmp_path / "e.sqlite")) == 1


def test_a_full_disk_keeps_what_was_written(tmp_path: Path) -> None:
    with Store(tmp_path / "e.sqlite", NAMES) as store:
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
from netstitch.optimization import Completed, Evaluation
from netstitch.optimization.executors.replay import Arrival, KnownResult, known_by, known_by_arrival

store = Store(Path(sys.argv[1]), ("accuracy", "multiply-adds"))
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


@given(data=st.data())
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_bit_that_changed_is_no_other_result(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever bit: the store is damaged, or says what it said."""
    path = tmp_path / "e.sqlite"
    for file in tmp_path.glob("e.sqlite*"):
        file.unlink()
    with Store(path, NAMES) as store:
        for ordinal in range(1, 9):
            store.add(4, evaluation(ordinal))
        before = store.known(), store.deliveries(4)
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, 8 * len(content) - 1))
    content[position // 8] ^= 1 << position % 8
    path.write_bytes(content)
    with suppress(StorageError), Store(path, NAMES, create=False) as store:
        assert (store.known(), store.deliveries(4)) == before


def test_the_number_under_way_is_the_one_that_was_told_first(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    with Store(path, NAMES) as store:
        assert [store.capacity(4), store.capacity(1)] == [4, 4]
    with Store(path, NAMES, create=False) as store:
        assert store.capacity(1) == 4
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE capacity SET under_way = 5")
    connection.close()
    with (
        Store(path, NAMES, create=False) as store,
        pytest.raises(StorageError, match="is not as it was written"),
    ):
        store.capacity(1)


@pytest.mark.parametrize("name", [b"evaluations", b"deliveries", b"CREATE"])
def test_text_that_is_none_any_more_is_damage(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / "e.sqlite"
    with Store(path, NAMES) as store:
        store.add(4, evaluation(1))
    content = path.read_bytes()
    assert name in content
    path.write_bytes(content.replace(name, name[:3] + b"\xcc" + name[4:]))
    with pytest.raises(StorageError, match=r"is damaged") as caught:
        Store(path, NAMES, create=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 100, 5000])
def test_a_store_that_was_cut_is_damaged(tmp_path: Path, size: int) -> None:
    path = tmp_path / "e.sqlite"
    with Store(path, NAMES) as store:
        store.add(4, evaluation(1))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(StorageError, match=r"is damaged|not a store"):
        Store(path, NAMES, create=False)


def test_results_that_the_search_is_given_later_are_written_once(tmp_path: Path) -> None:
    one, two = evaluation(1), evaluation(2)
    arrivals = [
        (Arrival(each.signature, each.genotype, Completed(0, None, None, 0.0)), known_by(each))
        for each in (two, one)
    ]
    with Store(tmp_path / "e.sqlite", NAMES) as store:
        store.keep(arrivals)
        store.keep(arrivals[:1])
        assert store.delivered(4) == 0
        store.add(4, one)
        store.add(4, two)
        assert list(store.known()) == [two.signature, one.signature]
        given_ = [each.signature for each in store.deliveries(4)]
        assert given_ == [one.signature, two.signature]


def test_what_ended_early_is_stopped_early_until_it_is_done_whole(tmp_path: Path) -> None:
    def arrival(accuracy: float, *, stopped_early: bool) -> tuple[Arrival, KnownResult]:
        one = evaluation(1)
        completed = Completed(1, (accuracy, 7.0), None, 0.5, "here 1", stopped_early)
        arrived = Arrival(one.signature, one.genotype, completed)
        return arrived, known_by(completed)

    path = tmp_path / "evaluations.sqlite"
    with Store(path, NAMES) as store:
        store.keep([arrival(0.6, stopped_early=True)])
        store.add(64, replace(evaluation(1), objectives=(0.6, 7.0), stopped_early=True))
        assert [json.loads(str(row[3]))["accuracy"] for row in rows(path)] == [0.6]
    with Store(path, NAMES, create=False) as store:
        [known] = store.known().values()
        assert (known.objectives, known.stopped_early) == ((0.6, 7.0), True)
        store.keep([arrival(0.3, stopped_early=False)])
        store.keep([arrival(0.6, stopped_early=True)])  # late: what is whole stays
    with Store(path, NAMES, create=False) as store:
        [known] = store.known().values()
        assert (known.objectives, known.stopped_early) == ((0.3, 7.0), False)
        assert [one.signature for one in store.deliveries(64)] == [b"\x01" * 16]


def test_a_search_for_other_objectives_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    with Store(path, NAMES) as store:
        store.add(4, evaluation(1))
    other = Store(path, ("accuracy", "parameters"), create=False)
    with other, pytest.raises(StorageError, match="holds accuracy, multiply-adds of each") as error:
        other.known()
    assert "\n" not in str(error.value)


def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.sqlite"
    Store(path, NAMES).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=5")
    connection.close()
    with pytest.raises(StorageError, match="not a store of evaluations of version 6"):
        Store(path, NAMES, create=False)
