"""An experiment as data: every table and key of its file, with their defaults.

The paper's section 6 is such an experiment: networks of one task, the images its stitches are
fitted on, and a search with a budget.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from netstitch.errors import ExperimentError
from netstitch.experiments.run_settings import RunSettings, replaced
from netstitch.experiments.task_table import TaskTable
from netstitch.files.settings import Positive, Settings
from netstitch.networks.sources.model_sources import SOURCES
from netstitch.tasks.datasets.preprocessing import PerChannel
from netstitch.text import numbered


class AdapterTable(Settings):
    """The images that a network was trained on, where they are not those of the task."""

    size: Positive | None = None
    """Edge of the square input in pixels; by default the task's."""
    mean: PerChannel
    """Per channel, of values in [0, 1]."""
    std: PerChannel
    """Per channel, as mean."""


class NetworkTable(Settings):
    """One trained network."""

    model: str = Field(
        min_length=1,
        description="The source of the model: 'file.py:function', 'package.module:function', "
        + " or ".join(f"'{library}:NAME'" for library in SOURCES)
        + ".",
    )
    weights: str | None = Field(default=None, min_length=1)
    """Its weights: a file of safetensors or torch.save, its state dict or a checkpoint that holds
    it, or 'pretrained', those of timm or torchvision, which it may download: their default, or
    those of a tag where the model is NAME.TAG; by default those that the model is built with."""
    ema: bool = False
    """Take the exponential moving average of weights that the file holds beside them."""
    name: str = ""
    """The name that reports call it by; by default the function's or the model's name, numbered
    where two are equal."""
    outputs: Literal["logits", "probabilities"] = "logits"
    """The kind of its outputs: 'logits', or 'probabilities', as behind a softmax or a sigmoid,
    whose logarithm becomes part of the network."""
    images: AdapterTable | None = None
    """A table with what its images are like, where that is not as [task.images]; the way there
    becomes part of the network."""


class Experiment(RunSettings):
    """An experiment file's content, all defaults filled in; see `read_experiment`."""

    called = "the top level"

    folder: str = ""
    """The folder from which relative paths start; by default the file's own folder."""
    data: str = ""
    """Folder that holds data sets; by default that of relative paths."""
    weights: str | None = None
    """Folder with a file of weights for each network, such as NAME.safetensors or NAME.pth, which
    take the place of those that networks name; by default none."""
    networks: list[NetworkTable] = Field(min_length=2)
    """Two or more [[networks]] tables."""
    task: TaskTable
    """The task of the networks, and its samples."""

    @field_validator("networks")
    @classmethod
    def _distinct(cls, networks: list[NetworkTable]) -> list[NetworkTable]:
        given = [network.name for network in networks if network.name]
        twice = next((name for name in given if given.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two networks are named {twice!r}; expected distinct names")
        taken, named = set(given), []
        for network in networks:
            name = network.name or numbered(network.model.rpartition(":")[2], taken)
            taken.add(name)
            named.append(network.model_copy(update={"name": name}))
        return named

    def located(self, path: str) -> Path:
        """Return a path of the file, relative ones from the experiment's folder."""
        return Path(self.folder) / os.path.expanduser(path)


def override(
    experiment: Experiment,
    *,
    search: Mapping[str, object] | None = None,
    evaluation: Mapping[str, object] | None = None,
    procedure: str | None = None,
    **top: object,
) -> Experiment:
    """Return the experiment with other values; None keeps the file's.

    Args:
        experiment: What the file says.
        search: Keys of the table [search].
        evaluation: Keys of the table [evaluation].
        procedure: Takes the place of all that a procedure has of the file's tables.
        **top: Keys of the top level, such as the seed.

    Raises:
        ExperimentError: The result is not valid.
    """
    filled = experiment.model_dump()
    if procedure is not None:
        filled = replaced(filled, procedure)
    for table, keys in (
        (filled, top),
        (filled["search"], search or {}),
        (filled["evaluation"], evaluation or {}),
    ):
        table.update({key: value for key, value in keys.items() if value is not None})
    try:
        return Experiment(**filled)
    except ExperimentError as error:
        raise ExperimentError(f"{error}; correct the option") from None
