"""Experiments: a TOML file that names networks, a task and a search, read and checked.

`read_experiment` gives an `Experiment` with all defaults filled in, or one line that says which
key of the file is wrong. `find_weights` and `find_images` then say whether what it names is there,
`load_models` and `load_task` bring it in, and `other_images` whether these fit together.
"""

from netstitch.experiments.experiment import Experiment
from netstitch.experiments.generated import generated_task
from netstitch.experiments.loading import (
    find_images,
    find_weights,
    load_models,
    load_task,
)
from netstitch.experiments.normalisation import other_images
from netstitch.experiments.reading import read_experiment
from netstitch.experiments.shipping import find_experiment, shipped

__all__ = [
    "Experiment",
    "find_experiment",
    "find_images",
    "find_weights",
    "generated_task",
    "load_models",
    "load_task",
    "other_images",
    "read_experiment",
    "shipped",
]
