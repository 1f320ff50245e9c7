"""Documents edited in every place, one at a time, and what commands make of them."""

import contextlib
import copy
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netstitch.cli import main
from netstitch.files.folders import read_json, write_json
from netstitch.records.run_folder import FORMAT, RUN_FILE
from netstitch.records.unchanged import FILES, digests_of, network_digests, stitches_digest

DELETED = object()
NESTED: Any = []
for _ in range(150):
    NESTED = [NESTED]

REPLACEMENTS: dict[str, Any] = {
    "null": None,
    "true": True,
    "minus one": -1,
    "zero": 0,
    "one": 1,
    "a half": 0.5,
    "huge float": 1e300,
    "huge integer": 10**30,
    "most of 64 bits": 2**63 - 1,
    "word": "x",
    "nothing": "",
    "NaN as text": "NaN",
    "terminal code": "\x1b[31m",
    "surrogate": "\ud800",
    "list": [],
    "object": {},
    "nested": NESTED,
    "deleted": DELETED,
}

Place = tuple[str | int, ...]


def places_of(document: Any, prefix: Place = ()) -> Iterator[Place]:
    """Every field and element, of long lists the first and the last one."""
    if isinstance(document, dict):
        keys: list[str | int] = list(document)
    elif isinstance(document, list):
        keys = sorted({0, len(document) - 1}) if document else []
    else:
        return
    for key in keys:
        yield (*prefix, key)
        yield from places_of(document[key], (*prefix, key))


def edited(document: Any, place: Place, value: Any) -> Any:
    """A copy with another value in a place."""
    made = copy.deepcopy(document)
    container = made
    for key in place[:-1]:
        container = container[key]
    if value is DELETED:
        del container[place[-1]]
    else:
        container[place[-1]] = value
    return made


def signed_again(run: Path) -> None:
    """Make the digests of a run those of its files, as one who edits with care would."""
    path = run / RUN_FILE
    document = read_json(path, FORMAT)
    document["networks"] = network_digests(run, document["networks"])
    document["stitches"] = stitches_digest(run)
    document["files"] = digests_of(run, FILES)
    write_json(path, document)


def called(*arguments: object) -> tuple[int, str]:
    """Exit code of a command, and what it says of an error; anything else that it raises fails."""
    before, error, code = sys.argv, io.StringIO(), 0
    sys.argv = ["netstitch", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(error):
            main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.argv = before
    return code, error.getvalue()


def check_edit(what: object, attempts: Callable[[], Iterator[tuple[int, str]]]) -> None:
    """Each attempt works, or is refused in one line."""
    try:
        for code, error in attempts():
            assert code in (0, 2), what
            if code == 2:
                lines = [line for line in error.splitlines() if line.startswith("netstitch: ")]
                assert len(lines) == 1, (what, error)
                return
    except BaseException as raised:  # a traceback, whatever it is of
        pytest.fail(f"{what}: {type(raised).__name__}: {raised}"[:600])


def load_document(path: Path) -> Any:
    return json.loads(path.read_text())
