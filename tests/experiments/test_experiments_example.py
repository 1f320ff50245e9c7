import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from netstitch.experiments import load_models, load_task, read_experiment

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_models"


def test_the_example_reads_as_it_stands():
    experiment = read_experiment(EXAMPLE / "experiment.toml")
    assert [network.name for network in experiment.networks] == ["resnet", "mobilenet"]
    for network in experiment.networks:
        assert experiment.located(network.model.partition(":")[0]).is_file()


@pytest.mark.slow
def test_the_example_trains_two_good_networks(tmp_path):
    for file in EXAMPLE.iterdir():
        if file.suffix in (".py", ".toml"):
            (tmp_path / file.name).write_bytes(file.read_bytes())
    subprocess.run([sys.executable, "make_data.py"], cwd=tmp_path, check=True)
    experiment = read_experiment(tmp_path / "experiment.toml")
    task = load_task(experiment)
    with torch.no_grad():
        outputs = [model(task.test.inputs) for _, model in load_models(experiment)]
    accuracies = [task.accuracy(output, task.test.labels) for output in outputs]
    assert min(accuracies) > 0.88
    ensemble = task.accuracy(task.combine(outputs), task.test.labels)
    assert ensemble > np.mean(accuracies)
