"""Scaling of images in arrays: what `[task.images]` says of bytes, and of floats."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from netstitch.errors import DataError
from netstitch.events import Listener, Message
from netstitch.experiments.experiment import Experiment
from netstitch.experiments.named_data_sets import is_data_set

BYTES = (torch.uint8, np.dtype(np.uint8))


def array_settings(
    experiment: Experiment, part: str, inputs: Any, listener: Listener
) -> dict[str, Any]:
    """Return the keyword arguments of `from_arrays` for the inputs of a part.

    Raises:
        DataError: As `check_floats` does, and for bytes of which networks with images of their own
            do not know what they are normalised with.
    """
    images = experiment.task.images
    dtype = inputs.dtype if isinstance(inputs, Tensor) else getattr(inputs, "dtype", None)
    if dtype not in BYTES:
        check_floats(experiment, part, listener)
        return {"images": images.arrays}
    if images.normalisation is None and _are_adapted(experiment):
        raise DataError(
            "networks have images of their own, and [task.images] does not say what these bytes "
            "are normalised with; give mean and std there (0 and 1 for not at all)"
        )
    return {"images": images.arrays, "normalisation": images.normalisation}


def check_floats(experiment: Experiment, part: str, listener: Listener) -> None:
    """Raise DataError where a mean or std is given for floats alone, which are taken as they are.

    Where it is that of images in folders too, the listener is warned instead. Where networks have
    images of their own, it says what the floats are normalised with already, and is right.
    """
    if experiment.task.images.normalisation is None or _are_adapted(experiment):
        return
    task = experiment.task
    sources = [one.source for one in (task.training, task.validation, task.test) if one is not None]
    if any(is_data_set(source) or experiment.located(source).is_dir() for source in sources):
        text = (
            f"the {part} samples are floating point and taken as they are; mean and std of "
            "[task.images] are applied to images in folders alone"
        )
        listener(Message(text, warning=True))
        return
    raise DataError(
        "inputs are floating point, which are taken as they are, and [task.images] has a mean or "
        "std; leave these out, or give bytes (uint8), to which they are applied"
    )


def _are_adapted(experiment: Experiment) -> bool:
    return any(network.images is not None for network in experiment.networks)
