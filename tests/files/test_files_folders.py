"""Files and folders are written whole or not at all."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from netstitch.errors import StorageError
from netstitch.files.folders import (
    check_new,
    new_folder,
    read_json,
    write_bytes,
    write_json,
    write_text,
)


def test_a_folder_appears_when_all_is_written(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b"
    with new_folder(target) as partial:
        (partial / "file").write_text("x")
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["file"]
    assert [path.name for path in target.parent.iterdir()] == ["b"]


def test_an_empty_folder_may_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with new_folder(Path("empty")) as partial:
        (partial / "file").touch()
    assert (tmp_path / "empty" / "file").exists()


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_nothing_is_left_after_an_error(tmp_path: Path, error: BaseException) -> None:
    def write() -> None:
        with new_folder(tmp_path / "a") as partial:
            (partial / "file").touch()
            raise error

    with pytest.raises(type(error)):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_in_words(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write() -> None:
        with new_folder(tmp_path / "a"):
            raise full

    with pytest.raises(StorageError, match="no space left on device") as caught:
        write()
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_the_name_of_a_temporary_one_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "a.partial").mkdir()
    (tmp_path / "a.partial" / "precious").touch()
    (tmp_path / "b.partial").write_text("precious")
    with new_folder(tmp_path / "a"):
        pass
    write_text(tmp_path / "b", "x")
    assert (tmp_path / "a.partial" / "precious").exists()
    assert (tmp_path / "b.partial").read_text() == "precious"


def test_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="not empty"):
        check_new(tmp_path)
    with pytest.raises(StorageError, match="is a file"):
        check_new(tmp_path / "file")
    with pytest.raises(StorageError), new_folder(tmp_path / "file" / "below"):
        pass
    check_new(tmp_path / "new")


def test_a_file_is_replaced_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(StorageError, match="no space left"):
            write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_comes_back(tmp_path: Path) -> None:
    document = {"format": "x", "text": "é", "numbers": [1, 2.5, None]}
    write_json(tmp_path / "f", document)
    assert read_json(tmp_path / "f", "x") == document


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_json_cannot_hold_is_not_written(tmp_path: Path, value: Any) -> None:
    with pytest.raises(StorageError, match="JSON"):
        write_json(tmp_path / "f", {"format": "x", "value": value})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[]", b"null", b'{"format": "y"}', b'{"format": "x", "a": NaN}',
     b"[" * 100_000, b'{"format": "x", "a": ' + b"9" * 5_000 + b"}"],
)  # fmt: skip
def test_what_is_no_document(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(StorageError) as caught:
        read_json(tmp_path / "f", "x")
    assert str(tmp_path / "f") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="f is missing"):
        read_json(tmp_path / "f", "x")


def test_other_formats_are_named(tmp_path: Path) -> None:
    (tmp_path / "f").write_text(json.dumps({"format": "y"}))
    with pytest.raises(StorageError, match="has format 'y'; this version reads 'x'"):
        read_json(tmp_path / "f", "x")
