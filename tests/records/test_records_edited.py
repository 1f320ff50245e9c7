"""A run folder that was edited, anywhere: commands work, or say in one line what is wrong."""

import json
import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from edited_documents import (
    REPLACEMENTS,
    called,
    check_edit,
    edited,
    load_document,
    places_of,
    signed_again,
)

import netstitch as ns
from netstitch.errors import NetstitchError
from netstitch.evaluation.store_tables import checksum
from netstitch.optimization import Progress
from netstitch.searching.search_progress import SearchProgress, write_progress

DOCUMENTS = {
    "run.json": (150, 20),
    "front.json": (150, 25),
    "progress.json": (8, 1),
    "supernet/supernet.json": (20, 1),
    "supernet/fit.json": (60, 6),
    "supernet/refine.json": (60, 6),
    "supernet/networks/0/graph.json": (8, 1),
    "export/subnetwork.json": (8, 1),
}
"""The number of edits of which the quick test, and the slow one, try one."""


@pytest.fixture(scope="module")
def run(experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with an exported network, that looks as if it was interrupted too."""
    made = shutil.copytree(experiment / "run", tmp_path_factory.mktemp("edited") / "run")
    assert (
        called("export", made, "--point", "1", "-o", made / "export", "--formats", "json")[0] == 0
    )
    write_progress(
        made / "progress.json",
        SearchProgress(
            search=8,
            share=0.5,
            counts=Progress(
                used=30,
                evaluated=20,
                failed=1,
                skipped=10,
                in_flight=1,
                elapsed=3.0,
                rate=7.0,
                idle=0.1,
                archived=9,
                best=(0.6, 1e6),
                stopped_early=2,
                objectives=("accuracy",),
            ),
            workers=1,
            left=3.0,
            hypervolume=0.4,
            written=1e9,
        ),
    )
    return made


@pytest.fixture
def copied(run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(run, tmp_path / "run")


def attempts(run: Path, name: str, *, whole: bool) -> Iterator[tuple[int, str]]:
    """Return all ways to read a document, the quickest first."""
    yield called("status", run)
    if name != "progress.json":
        yield loaded(run / "export" if name.startswith("export") else run)
    if name.startswith(("run", "front", "supernet")):
        out = run.parent / "out"
        yield called("export", run, "--point", "P1", "-o", out / "export", "--formats", "json")
        yield called("report", run, "-o", out / "report.html")
        if whole:
            yield called("compare", run, run.parent / "other", "-o", out / "compare")


def loaded(folder: Path) -> tuple[int, str]:
    try:
        ns.load(folder)
    except NetstitchError as error:
        lines = str(error).splitlines()
        return 2, "\n".join(f"netstitch: {line}" for line in lines)
    return 0, ""


def try_edits(run: Path, name: str, share: int, *, whole: bool = False) -> None:
    out = run.parent / "out"
    path = run / name
    document, about = load_document(path), (run / "run.json").read_text()
    chosen = random.Random(name)
    edits = [
        (place, kind, value)
        for place in places_of(document)
        for kind, value in REPLACEMENTS.items()
    ]
    for place, kind, value in chosen.sample(edits, -(-len(edits) // share)):
        out.mkdir()
        path.write_text(json.dumps(edited(document, place, value)))
        if name != "run.json":
            signed_again(run)
        check_edit((name, place, kind), lambda: attempts(run, name, whole=whole))
        shutil.rmtree(out)
        (run / "run.json").write_text(about)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_edited_document(copied: Path, name: str) -> None:
    try_edits(copied, name, DOCUMENTS[name][0])


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_edited_anywhere(copied: Path, run: Path, name: str) -> None:
    shutil.copytree(run, copied.parent / "other")
    try_edits(copied, name, DOCUMENTS[name][1], whole=True)


CELLS = ("", "x", "-1", "NaN", "inf", "1e300", "9" * 30, "1,2", '"', "\x00", "\u0131")


@pytest.mark.parametrize("name", ["search.csv", "stitches.csv"])
def test_an_edited_table(copied: Path, name: str) -> None:
    path = copied / name
    head, first, *rest = path.read_text().splitlines()
    for column in range(len(head.split(","))):
        for cell in random.Random(column).sample(CELLS, 3):
            cells = first.split(",")
            cells[column] = cell
            path.write_text("\n".join([head, ",".join(cells), *rest]) + "\n")
            signed_again(copied)
            check_edit(
                (name, column, cell),
                lambda: iter([called("report", copied, "-o", copied.parent / "report.html")]),
            )


@pytest.mark.parametrize("table", ["evaluations", "deliveries"])
def test_edited_evaluations(copied: Path, table: str) -> None:
    """Even with checksums made anew."""
    path = copied / "evaluations.sqlite"
    whole = path.read_bytes()
    values: list[Any] = [None, -1, 0, 10**18, 0.5, 1e300, "x", "1", b"", b"odd", b"\xff" * 26]
    with sqlite3.connect(path) as connection:
        columns = [column[1] for column in connection.execute(f"PRAGMA table_info({table})")][:-1]
    connection.close()
    for place, column in enumerate(columns):
        for value in random.Random(place).sample(values, 3):
            if rewritten(path, table, column, value):
                check_edit(
                    (table, column, value),
                    lambda: iter([called("report", copied, "-o", copied.parent / "report.html")]),
                )
            path.write_bytes(whole)


def rewritten(path: Path, table: str, column: str, value: Any) -> bool:
    """Return whether the first row of a table, with a fitting checksum, can hold a value."""
    with sqlite3.connect(path) as connection:
        order = f"ORDER BY {'ordinal' if table == 'evaluations' else 'search, number'} LIMIT 1"
        before = connection.execute(f"SELECT * FROM {table} {order}").fetchone()
        try:
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE checksum = {before[-1]}",
                               (value,))  # fmt: skip
        except sqlite3.IntegrityError:
            return False
        where = f"WHERE checksum = {before[-1]}"
        row = connection.execute(f"SELECT * FROM {table} {where}").fetchone()
        connection.execute(f"UPDATE {table} SET checksum = {checksum(row[:-1])} {where}")
    connection.close()
    return True
