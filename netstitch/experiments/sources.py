"""Samples of an experiment, with labels or without, from where its file says they are."""

from collections.abc import Callable, Sized
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from netstitch.errors import DataError
from netstitch.experiments.datasets import is_data_set, list_data_set
from netstitch.experiments.experiment import Experiment
from netstitch.experiments.task_table import SamplesTable
from netstitch.networks.functions import call_function, is_function
from netstitch.tasks import (
    Listing,
    Preprocessing,
    Samples,
    all_images,
    decode_images,
    evenly,
    from_arrays,
    from_dataset,
    from_maps,
    image_folder,
    read_arrays,
    read_inputs,
    unlabelled,
)
from netstitch.tasks.files import FILES

Progress = Callable[[str, int, int], None]
"""Called with the part ("training", "validation", "test"), samples read, and samples in all."""

Told = Callable[[str], None]
"""Called with a line about what was left out, or looks wrong."""


def list_images(experiment: Experiment, table: SamplesTable) -> Listing | None:
    """Return the images of a part that names a data set or a folder; None for other sources.

    How many classes a folder has is not looked at; see `check_class_folders`.

    Raises DataError where these are missing or laid out otherwise.
    """
    if is_data_set(table.source):
        return list_data_set(experiment, table).kept(table.limit, table.selection)
    if table.split or table.year or table.boxes:
        raise DataError("split, year and boxes are of data sets, such as 'imagenet:FOLDER'")
    path = experiment.located(table.source)
    if experiment.task.kind == "segmentation" or _is_file(path) or is_function(table.source):
        return None
    if path.is_file() or not path.exists():
        raise DataError(
            f"{path} {'is of another kind' if path.exists() else 'is not there'}; expected a .npz "
            "or .safetensors file, a folder of images, or 'file.py:function'"
        )
    if experiment.task.kind == "agreement":
        return all_images(path, limit=table.limit)
    listing = image_folder(path, class_order=experiment.task.class_order)
    return listing.kept(table.limit, table.selection)


def read_source(
    experiment: Experiment,
    part: str,
    table: SamplesTable,
    listing: Listing | None,
    progress: Progress | None = None,
    told: Told | None = None,
) -> Samples:
    """The samples of a part; of a task of kind "agreement", whose labels do not count, the inputs.

    listing: what `list_images` gave for it.

    Raises DataError when the source is missing, empty, damaged or of another kind.
    """

    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(part, done, total)

    if listing is not None:
        if told is not None and listing.note:
            told(f"{part}: {listing.note}")
        if told is not None and listing.left_out:
            told(f"warning: {table.source}: {listing.left_out}")
        return _decoded(experiment, part, listing, report, told)
    labelled = experiment.task.kind != "agreement"
    if experiment.task.kind == "segmentation":
        return _maps(experiment, part, table, report)
    path = experiment.located(table.source)
    returned: Any
    if _is_file(path):
        returned = read_arrays(path) if labelled else read_inputs(path)
    else:
        returned = call_function(table.source, folder=Path(experiment.folder), error=DataError)
    take = _labelled if labelled else _unlabelled
    return take(returned, experiment, part, table, report)


def _is_file(path: Path) -> bool:
    return path.suffix.lower() in FILES


def _settings(experiment: Experiment, inputs: Any) -> dict[str, Any]:
    """Keyword arguments of `from_arrays` for inputs, which say how they are laid out and scaled."""
    images = experiment.task.images
    dtype = inputs.dtype if isinstance(inputs, Tensor) else np.asarray(inputs).dtype
    normalisation = images.normalisation
    if any(network.images is not None for network in experiment.networks):
        if dtype in (torch.uint8, np.uint8) and normalisation is None:
            raise DataError(
                "networks have images of their own, and [task.images] does not say what these "
                "bytes are normalised with; give mean and std there (0 and 1 for not at all)"
            )
        if dtype not in (torch.uint8, np.uint8):
            normalisation = None  # it says what the floats are normalised with already
    return {"images": images.arrays, "normalisation": normalisation}


def _decoded(
    experiment: Experiment,
    part: str,
    listing: Listing,
    report: Callable[[int, int], None],
    told: Told | None,
) -> Samples:
    """The images of a listing, as networks read them."""
    images = experiment.task.images
    return decode_images(
        listing,
        Preprocessing(images.size, images.mean, images.std, images.crop, images.interpolation),
        name=part,
        cache=None if images.cache is None else experiment.located(images.cache),
        workers=images.workers,
        corrupt=images.corrupt,
        progress=report,
        told=told,
    )


def _maps(
    experiment: Experiment, part: str, table: SamplesTable, report: Callable[[int, int], None]
) -> Samples:
    """Images with a label map each, from a function that gives (inputs, maps)."""
    if not is_function(table.source):
        raise DataError(
            "segmentation reads a data set ('voc:FOLDER'), or what 'file.py:function' gives; "
            "expected one of these"
        )
    returned = call_function(table.source, folder=Path(experiment.folder), error=DataError)
    if not (isinstance(returned, tuple) and len(returned) == 2):
        raise DataError(
            f"the function returned a {type(returned).__name__}; expected the pair (inputs, maps), "
            "(n, channels, height, width) and (n, height, width)"
        )
    inputs, maps = returned
    limit = len(inputs) if table.limit is None else table.limit
    samples = from_maps(inputs, maps, name=part, **_settings(experiment, inputs))
    report(len(samples), len(samples))
    return samples.first(limit)


def _labelled(
    returned: Any,
    experiment: Experiment,
    part: str,
    table: SamplesTable,
    report: Callable[[int, int], None],
) -> Samples:
    """What a function returned, with its labels."""
    if isinstance(returned, tuple) and len(returned) == 2:
        samples = from_arrays(*returned, name=part, **_settings(experiment, returned[0]))
        if table.limit is None or table.limit >= len(samples):
            return samples
        kept = evenly(samples.labels.tolist(), table.limit)
        return Samples(samples.inputs[kept], samples.labels[kept], part)
    if _is_dataset(returned):
        _check_taken_as_it_is(experiment)
        return from_dataset(returned, limit=table.limit, name=part, progress=report)
    raise DataError(
        f"the function returned a {type(returned).__name__}; expected a torch Dataset with a "
        "length, or the pair (inputs, labels)"
    )


def _unlabelled(
    returned: Any,
    experiment: Experiment,
    part: str,
    table: SamplesTable,
    report: Callable[[int, int], None],
) -> Samples:
    """What a function returned, without labels that may come with it."""
    if isinstance(returned, tuple) and len(returned) == 2:
        returned = returned[0]
    if isinstance(returned, Tensor | np.ndarray):
        return _bare(returned, experiment, part, table.limit)
    if _is_dataset(returned):
        _check_taken_as_it_is(experiment)
        return from_dataset(_Inputs(returned), limit=table.limit, name=part, progress=report)
    raise DataError(
        f"the function returned a {type(returned).__name__}; expected a tensor or an array of "
        "inputs, or a torch Dataset with a length"
    )


def _is_dataset(returned: Any) -> bool:
    return (
        isinstance(returned, Sized)
        and hasattr(returned, "__getitem__")
        and not isinstance(returned, dict | str | tuple | Tensor)
    )


def _check_taken_as_it_is(experiment: Experiment) -> None:
    """Raise DataError where a mean is given beside a Dataset, whose items are floating point."""
    adapted = any(network.images is not None for network in experiment.networks)
    if experiment.task.images.normalisation is not None and not adapted:
        raise DataError(
            "the items of a Dataset are floating point, which are taken as they are, and [task."
            "images] has a mean or std; leave these out, and normalise in the Dataset's transform"
        )


def _bare(inputs: Any, experiment: Experiment, part: str, limit: int | None) -> Samples:
    """Inputs in an array, so many of them, spread evenly over their order."""
    zeros = np.zeros(len(inputs), dtype=np.int64)
    samples = from_arrays(inputs, zeros, name=part, **_settings(experiment, inputs))
    if limit is None or limit >= len(samples):
        return samples
    kept = [index * len(samples) // limit for index in range(limit)]
    return unlabelled(samples.inputs[kept], part)


class _Inputs(Dataset[Any]):
    """The items of a dataset with a label that does not count."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        item = self.dataset[index]
        return (item[0] if isinstance(item, tuple | list) else item), 0
