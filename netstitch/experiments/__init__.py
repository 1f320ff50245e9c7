"""Experiments: a TOML file that names networks, a task and a search, read and checked.

`read_experiment` gives an `Experiment` with all defaults filled in, or one line that says which
key of the file is wrong. `load_experiment` brings in what it names: `find_weights` and
`find_images` say whether that is there, `load_models` and `load_task` read it, and `other_images`
says whether these fit together. `RunSettings` is an experiment without networks and task, for runs
that are begun from Python.
"""

from netstitch.experiments.experiment import Experiment, override
from netstitch.experiments.experiment_file import find_experiment, read_experiment, shipped
from netstitch.experiments.generated_images import generated_task
from netstitch.experiments.loading import find_images, load_experiment, load_task
from netstitch.experiments.network_loading import find_weights, load_models
from netstitch.experiments.normalisation import other_images
from netstitch.experiments.run_settings import RunSettings

__all__ = [
    "Experiment",
    "RunSettings",
    "find_experiment",
    "find_images",
    "find_weights",
    "generated_task",
    "load_experiment",
    "load_models",
    "load_task",
    "other_images",
    "override",
    "read_experiment",
    "shipped",
]
