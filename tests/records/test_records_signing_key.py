"""The key that a user's runs are signed with."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netstitch.records.signing_key import BYTES, make_key, read_key, state_folder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "netstitch"


def test_it_is_made_once_for_nobody_else_to_read(folder: Path) -> None:
    assert read_key() is None
    key = make_key()
    assert len(key) == BYTES
    assert make_key() == read_key() == key
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == ["key"]


def test_those_who_make_it_at_once_have_one(folder: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: make_key(), range(8)))
    assert keys == {read_key()}


@pytest.mark.parametrize("content", [b"", b"x", b"x" * (BYTES + 1)])
def test_a_damaged_one_is_none_and_made_anew(folder: Path, content: bytes) -> None:
    make_key()
    (folder / "key").write_bytes(content)
    assert read_key() is None
    assert len(make_key()) == BYTES
    assert read_key() is not None


def test_one_that_others_can_read_is_none(folder: Path) -> None:
    before = make_key()
    (folder / "key").chmod(0o644)
    assert read_key() is None
    assert make_key() != before


def test_something_else_in_its_place_is_none(folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(folder / "key", 0o600)
    assert read_key() is None
    (folder / "key").unlink()
    (folder / "key").mkdir()
    assert read_key() is None
    with pytest.raises(OSError, match="key"):
        make_key()


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    default = tmp_path / ".local" / "state" / "netstitch"
    for given in ("", "relative"):  # the specification has relative ones ignored
        monkeypatch.setenv("XDG_STATE_HOME", given)
        assert state_folder() == default
    monkeypatch.delenv("XDG_STATE_HOME")
    assert state_folder() == default
