"""A finished run of a tiny experiment, which tests copy."""

from pathlib import Path

import pytest
from run_examples import Quiet, write_experiment

from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.runs.run import carry_out


@pytest.fixture(scope="session")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the experiment; the run is in its folder run."""
    folder = tmp_path_factory.mktemp("experiment")
    asked = read_experiment(write_experiment(folder))
    carry_out(asked, load_models(asked), load_task(asked), folder / "run", Quiet())
    return folder
