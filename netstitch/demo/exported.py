"""An exported network or cascade of the demo, run on the images that nothing was chosen on."""

from pathlib import Path

import torch

import netstitch as ns
from netstitch.tasks import Task

BATCH = 256


def exported_accuracy(folder: Path, task: Task) -> float:
    """Return the accuracy on test samples of what was exported into a folder."""
    module, samples = ns.load(folder), task.test
    assert isinstance(module, torch.nn.Module)
    assert samples is not None
    right = 0.0
    with torch.inference_mode():
        for inputs, labels in zip(
            torch.split(samples.inputs, BATCH), torch.split(samples.labels, BATCH), strict=True
        ):
            right += float(task.correct(module(inputs), labels).sum())
    return right / len(samples)
