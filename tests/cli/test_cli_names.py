"""Names that are no text, that are too long, and that would steer a terminal."""

import json
import os
import shutil
from io import StringIO
from pathlib import Path

import pytest
from cli_examples import Caller
from rich.table import Table
from rich.text import Text

from netstitch.cli.console import Terminal
from netstitch.errors import StorageError
from netstitch.files.folders import new_folder, read_json, write_text
from netstitch.runs.run import Finished

NOT_UTF8 = os.fsdecode(b"n\xff")


def test_words_that_are_not_utf_8_are_refused_at_once(
    netstitch: Caller, experiment: Path, finished: Finished
) -> None:
    for words in (
        ("run", experiment, "-o", NOT_UTF8),
        ("run", f"{NOT_UTF8}/tiny.toml"),
        ("match", experiment, "--data", NOT_UTF8),
        ("export", finished.folder, "--point", "1", "-o", f"{NOT_UTF8}/out"),
        ("status", NOT_UTF8),
        ("report", finished.folder, "-o", f"{NOT_UTF8}.html"),
    ):
        called = netstitch(*words)
        assert called.code == 2
        assert r"n\xff" in called.error
        assert "is not UTF-8; rename it" in called.error
    assert not [path for path in experiment.parent.iterdir() if path.name[0] == "n"]


def test_so_is_a_current_folder(
    netstitch: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, experiment: Path
) -> None:
    odd = tmp_path / NOT_UTF8
    try:
        odd.mkdir()
    except OSError:
        pytest.skip("the file system has no such names")
    monkeypatch.chdir(odd)
    assert "is not UTF-8" in netstitch("match", experiment).error
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "the current folder is not there any more" in netstitch("match", experiment).error


def test_from_python_they_are_refused_before_any_work(tmp_path: Path) -> None:
    odd = tmp_path / NOT_UTF8
    with pytest.raises(StorageError, match=r"n\\xff has a name that is not UTF-8"):
        new_folder(odd).__enter__()
    with pytest.raises(StorageError, match="not UTF-8"):
        write_text(odd, "x")
    with pytest.raises(StorageError, match="not UTF-8"):
        read_json(odd / "run.json", "x")
    with pytest.raises(StorageError, match="byte 0"):
        new_folder(tmp_path / "a\0b").__enter__()


@pytest.mark.parametrize("command", ["run", "match", "protocol"])
def test_names_that_are_too_long(netstitch: Caller, experiment: Path, command: str) -> None:
    long = "x" * 300
    called = netstitch(command, f"{long}.toml")
    assert called.code == 2
    assert "too long" in called.error
    if command != "match":
        options = ("--no-sweep", "--seeds", 1) if command == "protocol" else ()
        called = netstitch(command, experiment, "-o", long, *options)
        assert called.code == 2
        assert "too long" in called.error


@pytest.mark.parametrize("command", ["status", "report", "export", "finetune", "resume"])
def test_runs_whose_names_are_too_long(netstitch: Caller, tmp_path: Path, command: str) -> None:
    options = ("--point", "1") if command in ("export", "finetune") else ()
    called = netstitch(command, tmp_path / ("x" * 300), *options)
    assert called.code == 2
    assert "too long" in called.error


def test_names_do_not_steer_the_terminal(
    netstitch: Caller, finished: Finished, tmp_path: Path
) -> None:
    folder = shutil.copytree(finished.folder, tmp_path / "a\x1b[31m\nb")
    document = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(document | {"name": "[red]\x1b[2J\x07[/x]"}))
    for words in (
        ("status", folder),
        ("report", folder),
        ("export", folder, "--point", "1", "--formats", "json"),
        ("compare", folder, finished.folder, "-o", tmp_path / "c"),
    ):
        called = netstitch(*words)
        assert (called.code, called.err) == (0, "")
        assert "\x1b" not in called.out
        assert "\x07" not in called.out
    assert r"[red]\x1b[2J[/x]" in netstitch("status", folder).out
    refused = netstitch("resume", folder)
    assert refused.code == 2
    assert "\x1b" not in refused.error


def test_tables_and_text_are_printed_as_they_are() -> None:
    out = StringIO()
    terminal = Terminal(file=out, width=60)
    table = Table("\x1b[2Jhead", "other")
    table.add_row(Text("a\x9bcell"), "cell :smile: [b]")
    terminal.print(table)
    terminal.print("plain [red]\x1b]0;x\x07 :smile:")
    assert not set("\x1b\x07\x9b") & set(out.getvalue())
    assert "cell :smile: [b]" in out.getvalue()
    assert "plain [red]" in out.getvalue()
