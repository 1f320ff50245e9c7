"""An experiment without its data and weights: networks as they are built, on generated images."""

from contextlib import suppress

import torch
from torch import nn

from netstitch.errors import DataError
from netstitch.experiments.experiment import Experiment
from netstitch.experiments.loading import task_of
from netstitch.experiments.named_data_sets import is_data_set
from netstitch.experiments.sample_sources import read_source
from netstitch.networks.sources.functions import is_function
from netstitch.tasks import Samples, Task, unlabelled
from netstitch.tasks.datasets.array_files import FILES

COUNT, SEED = 4, 0


def generated_task(experiment: Experiment, models: list[tuple[str, nn.Module]]) -> Task:
    """Return the experiment's task on noise of its samples' shape.

    That is the shape of those that a file or function has, where they are there, or else of images
    of `[task.images] size`.

    Args:
        experiment: What the task is.
        models: By name; those of a task of kind "agreement" label the samples.

    Raises:
        DataError: The models give outputs of different shapes.
    """
    shape = _shape(experiment)
    generator = torch.Generator().manual_seed(SEED)
    noise = torch.randn(COUNT, *shape, generator=generator)
    samples = unlabelled(noise, "validation")
    if experiment.task.kind == "segmentation":
        maps = torch.zeros(COUNT, *shape[-2:], dtype=torch.uint8)
        samples = Samples(noise, maps, "validation")
    return task_of(experiment.task, {"validation": samples}, models)


def _shape(experiment: Experiment) -> tuple[int, ...]:
    """Return the shape of one sample."""
    table, images = experiment.task.validation, experiment.task.images
    readable = table.source.lower().endswith(FILES) or is_function(table.source)
    if readable and not is_data_set(table.source):
        with suppress(DataError):  # they are not there, or not yet
            few = table.model_copy(update={"limit": COUNT})
            return read_source(experiment, "validation", few, None).shape
    channels = 1 if images.arrays == "nhw" else len(images.mean)
    return channels, images.size, images.size
