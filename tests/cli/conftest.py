"""The command line, and a finished run that no test changes."""

from pathlib import Path

import pytest
from cli_examples import Caller
from run_examples import Quiet, write_experiment

from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.runs.run import Finished, carry_out


@pytest.fixture
def netstitch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Caller:
    return Caller(monkeypatch, capsys)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("experiment")
    asked = read_experiment(write_experiment(folder))
    return carry_out(asked, load_models(asked), load_task(asked), folder / "run", Quiet())


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny experiment in the current folder."""
    monkeypatch.chdir(tmp_path)
    return write_experiment(tmp_path)
