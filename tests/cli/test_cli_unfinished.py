"""Commands on runs that are not done: which state they are in, and the whole command to go on."""

import json
import shlex
import shutil
from pathlib import Path

import filelock
import pytest
from cli_examples import Caller

from netstitch.files.folders import LOCK
from netstitch.records.unchanged import forget_files
from netstitch.runs.run import Finished

COMMANDS = {"export": ("--point", "1"), "finetune": ("--point", "1")}


@pytest.fixture
def killed(finished: Finished, tmp_path: Path) -> Path:
    """A run as a kill leaves it while it searches, in a folder whose name a shell splits."""
    folder = tmp_path / "my run"
    shutil.copytree(finished.folder, folder)
    forget_files(folder)
    (folder / "front.json").unlink()
    change(folder, "outcome")
    return folder


def change(folder: Path, *without: str) -> None:
    document = json.loads((folder / "run.json").read_text())
    for key in without:
        del document[key]
    (folder / "run.json").write_text(json.dumps(document))


def going_on(folder: Path) -> str:
    return f"netstitch resume {shlex.quote(str(folder))} goes on"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_killed_run_has_no_front_yet(netstitch: Caller, killed: Path, command: str) -> None:
    called = netstitch(command, killed, *COMMANDS[command])
    assert called.code == 2
    assert "has no front yet, since it is stopped while it searched" in called.error
    assert called.error.endswith(going_on(killed))


@pytest.mark.parametrize("command", COMMANDS)
def test_nor_has_one_that_is_going_on(netstitch: Caller, killed: Path, command: str) -> None:
    with filelock.FileLock(killed / LOCK):
        called = netstitch(command, killed, *COMMANDS[command])
    assert "since it is still searching" in called.error
    assert f"netstitch status {shlex.quote(str(killed))} tells how far it is" in called.error


def test_status_and_report_say_how_it_goes_on(netstitch: Caller, killed: Path) -> None:
    assert f"stopped while it searched; {going_on(killed)}" in netstitch("status", killed).out
    assert netstitch("report", killed).code == 0
    assert going_on(killed).replace("'", "&#39;") in (killed / "report.html").read_text()


def test_runs_that_are_compared_say_it_too(
    netstitch: Caller, killed: Path, finished: Finished, tmp_path: Path
) -> None:
    called = netstitch("compare", killed, finished.folder, "-o", tmp_path / "c")
    assert called.code == 0
    assert going_on(killed) in called.out
    (killed / "evaluations.sqlite").unlink()
    change(killed, "form")
    called = netstitch("compare", killed, finished.folder, "-o", tmp_path / "d")
    assert "has evaluated nothing yet, since it is stopped before it searched" in called.error
    assert called.error.endswith(going_on(killed))


@pytest.mark.parametrize("command", ["status", "report", "export"])
def test_a_run_that_was_killed_before_it_could_go_on(
    netstitch: Caller, tmp_path: Path, command: str
) -> None:
    (tmp_path / LOCK).touch()
    called = netstitch(command, tmp_path, *COMMANDS.get(command, ()))
    assert "was stopped before its stitches were fitted" in called.error
    assert "remove the folder, and run anew" in called.error


def test_a_damaged_front_is_no_matter_of_python(
    netstitch: Caller, finished: Finished, tmp_path: Path
) -> None:
    folder = shutil.copytree(finished.folder, tmp_path / "run")
    for damage in (lambda path: path.write_text("{}"), lambda path: path.unlink()):
        damage(folder / "front.json")
        called = netstitch("export", folder, "--point", "1")
        assert "front.json holds no front" in called.error
        assert called.error.endswith("put back a copy of the run folder")
