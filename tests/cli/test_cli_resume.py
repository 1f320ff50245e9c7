"""`netstitch resume` and `netstitch status`."""

import time
from pathlib import Path

import filelock
import pytest
from cli_examples import Caller
from run_examples import Interrupting, Quiet

from netstitch.cli.status_lines import status_lines
from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.runs.recorded_run import open_run
from netstitch.runs.run import Finished, carry_out, resume


@pytest.fixture
def stopped(experiment: Path) -> Path:
    """A run of the tiny experiment that was interrupted after nine evaluations."""
    asked = read_experiment(experiment)
    models, task = load_models(asked), load_task(asked)
    carry_out(asked, models, task, Path("run"), Interrupting(9))
    return Path("run")


def test_a_run_goes_on_to_the_front_of_one_that_was_not_stopped(
    netstitch: Caller, stopped: Path, finished: Finished
) -> None:
    called = netstitch("resume", stopped)
    assert (called.code, called.err) == (0, "")
    assert "the search ended since its budget was spent" in " ".join(called.out.split())
    assert open_run(stopped).front == finished.front


def test_it_goes_on_from_another_folder_too(
    netstitch: Caller, stopped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert netstitch("resume", f"../{stopped}").code == 0


def test_a_run_that_goes_on_reports_from_the_search_on(stopped: Path) -> None:
    asked = read_experiment(Path("tiny.toml"))
    listener = Quiet()
    resume(asked, load_task(asked), stopped, listener)
    assert [stage.split()[0] for stage in listener.stages] == [
        "search",
        "measure",
        "find",
        "measure",
    ]


def test_a_run_that_is_done_is_refused(netstitch: Caller, finished: Finished) -> None:
    called = netstitch("resume", finished.folder)
    assert called.code == 2
    assert "is done, its search ended by budget: there is nothing to go on with" in called.error


@pytest.mark.parametrize("command", ["resume", "status"])
def test_a_folder_that_is_none_of_a_run_is_refused(
    netstitch: Caller, tmp_path: Path, command: str
) -> None:
    called = netstitch(command, tmp_path / "nowhere")
    assert called.code == 2
    assert "run.json is missing; expected a folder that netstitch wrote" in called.error
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "file").write_text("x")
    called = netstitch(command, tmp_path / "file")
    assert called.code == 2
    assert f"{tmp_path / 'file'} is a file; expected a folder that netstitch wrote" in called.error


def test_samples_that_are_gone_are_named(netstitch: Caller, stopped: Path) -> None:
    Path("val.npz").unlink()
    called = netstitch("resume", stopped)
    assert called.code == 2
    assert "validation samples (val.npz)" in called.error


def test_tensorboard_gets_scalars(netstitch: Caller, stopped: Path) -> None:
    assert netstitch("resume", stopped, "--tensorboard").code == 0
    assert list((stopped / "tensorboard" / "population-8").glob("events.*"))


def test_the_status_of_a_run_that_was_stopped(netstitch: Caller, stopped: Path) -> None:
    called = netstitch("status", stopped)
    assert (called.code, called.err) == (0, "")
    first, warning, search, speed, found = called.out.splitlines()
    assert first == "tiny: stopped while it searched; netstitch resume run goes on"
    assert warning.startswith("  warning: every network is at chance on 41 validation samples")
    assert search.startswith("  population 8: 15% of the budget, 9 evaluated, 0 known")
    assert "under way on 1 worker, idle" in speed
    assert " left" not in speed
    assert "in the archive, hypervolume 0." in found


def test_the_status_of_a_run_that_goes_on(netstitch: Caller, stopped: Path) -> None:
    before = sorted(stopped.iterdir())
    with filelock.FileLock(stopped / "run.lock"):
        lines = list(status_lines(stopped, time.time()))
        late = list(status_lines(stopped, time.time() + 300))
    assert lines[0] == "tiny: searching"
    assert " left; " in lines[3]
    assert late[-1].startswith("  as of ")
    (stopped / "run.lock").unlink(missing_ok=True)
    assert sorted(stopped.iterdir()) == before


def test_the_status_of_a_run_that_is_done(netstitch: Caller, finished: Finished) -> None:
    called = netstitch("status", finished.folder)
    first, _, second = called.out.splitlines()
    assert first == "tiny: done, its search ended by budget"
    assert f"{finished.outcome.evaluations:,} evaluated, " in second


def test_a_run_that_has_only_begun_says_so(tmp_path: Path) -> None:
    with filelock.FileLock(tmp_path / "run.lock"):
        [line] = status_lines(tmp_path, 0.0)
    assert "capturing, matching and fitting" in line
