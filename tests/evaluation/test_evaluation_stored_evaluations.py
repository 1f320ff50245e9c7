"""A store read as arrays says what was written into it, while it is open and afterwards."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.errors import StorageError
from netstitch.evaluation import Store
from netstitch.evaluation.stored_evaluations import read_evaluations
from netstitch.optimization import Evaluation

NAMES = ("accuracy", "multiply-adds")


def evaluation(ordinal: int, signature: int, accuracy: float | None, bounded: bool) -> Evaluation:
    return Evaluation(
        ordinal=ordinal,
        genotype=np.array([signature % 3, 1, signature], dtype=np.int64),
        signature=bytes([signature]) * 16,
        objectives=None if accuracy is None else (accuracy, 10.0 * signature),
        seconds=0.5,
        failure="NaN" if accuracy is None else None,
        worker="here",
        round=ordinal,
        elapsed=0.25 * ordinal,
        skipped=3 * ordinal,
        stopped_early=bounded and accuracy is not None,
    )


results = st.lists(
    st.tuples(st.integers(0, 20), st.one_of(st.none(), st.floats(0, 1)), st.booleans()),
    unique_by=lambda row: row[0],
    max_size=8,
)


@given(results)
@settings(max_examples=20, deadline=None)
def test_rows_come_back(rows: list[tuple[int, float | None, bool]]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "evaluations.sqlite"
        with Store(path, NAMES) as store:
            for ordinal, row in enumerate(rows, start=1):
                store.add(64, evaluation(ordinal, *row))
            found = read_evaluations(path, *NAMES)  # while it is open for writing
        assert len(found) == len(rows)
        for place, (signature, accuracy, bounded) in enumerate(rows):
            assert found.genotypes[place].tolist() == [signature % 3, 1, signature]
            assert np.isnan(found.score[place]) == (accuracy is None)
            if accuracy is not None:
                assert found.score[place] == accuracy
                assert found.cost[place] == 10 * signature
                assert found.stopped_early[place] == bounded
            assert (place in found.failures) == (accuracy is None)
        if rows:
            searched = found.searches[64]
            assert searched.evaluation.tolist() == list(range(len(rows)))
            assert searched.skipped.tolist() == [3 * n for n in range(1, len(rows) + 1)]
            assert searched.elapsed.tolist() == [0.25 * n for n in range(1, len(rows) + 1)]


def test_a_missing_store(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"gone\.sqlite is missing"):
        read_evaluations(tmp_path / "gone.sqlite", *NAMES)


def test_objectives_are_found_by_name_whatever_stands_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "evaluations.sqlite"
    with Store(path, ("latency", "parameters", "accuracy")) as store:
        for ordinal, accuracy in ((1, 0.5), (2, None)):
            one = evaluation(ordinal, ordinal, accuracy, False)
            values = None if accuracy is None else (0.01, 7.0, accuracy)
            store.add(64, replace(one, objectives=values))
    found = read_evaluations(path, "accuracy", "parameters")
    assert found.score.tolist() == [0.5, pytest.approx(np.nan, nan_ok=True)]
    assert found.cost.tolist() == [7.0, pytest.approx(np.nan, nan_ok=True)]
    assert found.objectives["latency"][0] == 0.01
    with pytest.raises(StorageError, match="is for accuracy and multiply-adds, and it holds laten"):
        read_evaluations(path, *NAMES)


def test_a_changed_row_is_found(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "evaluations.sqlite"
    with Store(path, NAMES) as store:
        store.add(64, evaluation(1, 1, 0.5, False))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE evaluations SET worker = 'there'")
    with pytest.raises(StorageError, match="is damaged"):
        read_evaluations(path, *NAMES)


def test_a_file_that_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "evaluations.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StorageError, match="is damaged"):
        read_evaluations(path, *NAMES)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "evaluations.sqlite"
    with Store(path, NAMES) as store:
        store.add(64, evaluation(1, 1, 0.5, False))
    os.chmod(tmp_path, 0o555)
    try:
        assert len(read_evaluations(path, *NAMES)) == 1
    finally:
        os.chmod(tmp_path, 0o755)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["evaluations.sqlite"]
