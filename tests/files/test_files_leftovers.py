"""Leftovers of a writer that was killed are removed by the next one, and nothing else is."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netstitch.files.folders import check_new, new_folder, write_text
from netstitch.files.leftovers import OLD, begin_file, begin_folder, remove_leftovers

WRITING = {
    "folder": """
with new_folder(Path(sys.argv[1])) as partial:
    (partial / "half").touch()
    begun()
""",
    "file": """
def killed(*_):
    begun()
os.replace = killed
write_bytes(Path(sys.argv[1]), b"content")
""",
}
BEGINNING = """
import os, sys, time
from pathlib import Path
from netstitch.files.folders import new_folder, write_bytes

def begun():
    print("begun", flush=True)
    sys.stdin.read()
"""


def writer(kind: str, path: Path) -> subprocess.Popen[str]:
    """A process in the middle of writing."""
    started = subprocess.Popen(
        [sys.executable, "-c", BEGINNING + WRITING[kind], str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "begun\n"
    return started


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_killed_writer_leaves_nothing_for_ever(tmp_path: Path, kind: str) -> None:
    with writer(kind, tmp_path / "a") as child:
        left = list(tmp_path.iterdir())
        assert [path.name.endswith(".partial") for path in left] == [True]
        write_text(tmp_path / "b", "x")
        assert left[0].exists(), "its writer is there"
        child.send_signal(signal.SIGKILL)
    assert left[0].exists()
    with new_folder(tmp_path / "c"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c"]


def test_what_is_left_in_a_folder_does_not_make_it_full(tmp_path: Path) -> None:
    with writer("file", tmp_path / "a") as child:
        child.kill()
    assert any(tmp_path.iterdir())
    check_new(tmp_path)


def test_what_this_process_writes_stays(tmp_path: Path) -> None:
    file, held = begin_file(tmp_path / "a")
    folder, held_too = begin_folder(tmp_path / "b")
    remove_leftovers(tmp_path)
    assert file.exists()
    assert folder.exists()
    held.close()
    held_too.close()
    remove_leftovers(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_nobodys_for_sure(tmp_path: Path) -> None:
    new, old = tmp_path / ".a.1-00000000.partial", tmp_path / ".b.1-00000000.partial"
    new.mkdir()
    old.mkdir()
    os.utime(old, (time.time() - OLD - 60,) * 2)
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == [new]


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127])
def test_a_name_may_be_as_long_as_a_name_can_be(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "x")
    (tmp_path / name).unlink()
    with new_folder(tmp_path / name):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_other_names_and_links_stay(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / ".a.1-00000000.partial").symlink_to(tmp_path / "precious")
    for name in (".a.partial", "a.1-00000000.partial", ".a.x-00000000.partial"):
        (tmp_path / name).touch()
    before = sorted(tmp_path.iterdir())
    remove_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    remove_leftovers(tmp_path / "not there")
