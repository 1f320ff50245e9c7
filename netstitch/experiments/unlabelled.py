"""Samples of an experiment whose task needs no labels, from where its file says they are."""

from collections.abc import Callable, Sized
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from netstitch.errors import DataError
from netstitch.experiments.experiment import Experiment
from netstitch.experiments.task_table import SamplesTable
from netstitch.networks.functions import call_function, is_function
from netstitch.tasks import (
    Preprocessing,
    Samples,
    from_arrays,
    from_dataset,
    from_images,
    read_inputs,
    unlabelled,
)

FILES = (".npz", ".safetensors")


def read_unlabelled(
    experiment: Experiment,
    part: str,
    table: SamplesTable,
    progress: Callable[[str, int, int], None] | None,
) -> Samples:
    """Inputs of a part; labels, where the source has some, are not looked at.

    Raises DataError when the source is missing, empty, damaged or of another kind.
    """

    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(part, done, total)

    images = experiment.task.images
    path = experiment.located(table.source)
    if path.suffix in FILES:
        return _limited(_from_arrays(read_inputs(path), part, images.arrays), table.limit)
    if is_function(table.source):
        returned = call_function(table.source, folder=Path(experiment.folder), error=DataError)
        if isinstance(returned, tuple) and len(returned) == 2:
            returned = returned[0]
        if isinstance(returned, Tensor | np.ndarray):
            return _limited(_from_arrays(returned, part, images.arrays), table.limit)
        if isinstance(returned, Sized) and hasattr(returned, "__getitem__"):
            dataset = _Inputs(returned)
            return from_dataset(dataset, limit=table.limit, name=part, progress=report)
        raise DataError(
            f"the function returned a {type(returned).__name__}; expected a tensor or an array of "
            "inputs, or a torch Dataset with a length"
        )
    if path.is_file() or not path.exists():
        raise DataError(
            f"{path} {'is of another kind' if path.exists() else 'is not there'}; expected a .npz "
            "or .safetensors file, a folder of images, or 'file.py:function'"
        )
    transform = Preprocessing(images.size, images.mean, images.std, images.crop)
    return from_images(path, transform, limit=table.limit, name=part, progress=report)


def _from_arrays(inputs: Any, part: str, images: Any) -> Samples:
    zeros = np.zeros(len(inputs), dtype=np.int64)
    return from_arrays(inputs, zeros, name=part, images=images)


def _limited(samples: Samples, limit: int | None) -> Samples:
    """So many, spread evenly over their order."""
    if limit is None or limit >= len(samples):
        return samples
    kept = [index * len(samples) // limit for index in range(limit)]
    return unlabelled(samples.inputs[kept], samples.name)


class _Inputs(Dataset[Any]):
    """The items of a dataset with a label that does not count."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        item = self.dataset[index]
        return (item[0] if isinstance(item, tuple | list) else item), 0
