"""Samples of an experiment, with labels or without, from where its file says they are."""

import os
from collections.abc import Sized
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from netstitch.errors import DataError
from netstitch.events import Listener, Message, ignore
from netstitch.experiments.experiment import Experiment
from netstitch.experiments.named_data_sets import is_data_set, list_data_set
from netstitch.experiments.scaling import array_settings, check_floats
from netstitch.experiments.task_table import SamplesTable
from netstitch.networks.sources.functions import call_function, is_function
from netstitch.tasks import (
    Listing,
    Samples,
    all_images,
    decode_images,
    evenly,
    from_arrays,
    from_dataset,
    from_maps,
    image_folder,
    read_arrays,
    unlabelled,
)
from netstitch.tasks.datasets.array_files import FILES


def names_function(experiment: Experiment, source: str) -> bool:
    """Return whether `read_source` would call a function for samples of a source."""
    if is_data_set(source):
        return False
    if experiment.task.kind == "segmentation":
        return is_function(source)
    return is_function(source) and experiment.located(source).suffix not in FILES


def list_images(experiment: Experiment, table: SamplesTable) -> Listing | None:
    """Return the images of a part that names a data set or a folder; None for other sources.

    How many classes a folder has is not looked at; see `check_class_folders`.

    Raises:
        DataError: They are missing or laid out otherwise.
    """
    if is_data_set(table.source):
        return list_data_set(experiment, table).kept(table.limit, table.selection)
    if table.split or table.year or table.boxes:
        raise DataError("split, year and boxes are of data sets, such as 'imagenet:FOLDER'")
    path = experiment.located(table.source)
    if experiment.task.kind == "segmentation" or _is_file(path) or is_function(table.source):
        return None
    if not os.path.isdir(path):
        fault = "is of another kind" if os.path.exists(path) else "is not there"
        raise DataError(
            f"{path} {fault}; expected a .npz or .safetensors file, a folder of images, or "
            "'file.py:function'"
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
    listener: Listener = ignore,
) -> Samples:
    """Return the samples of a part; of a task of kind "agreement" the inputs alone.

    Args:
        experiment: What the samples are of.
        part: Its name.
        table: Its table.
        listing: What `list_images` gave for it.
        listener: Told what was left out, and how far reading is.

    Raises:
        DataError: The source is missing, empty, damaged or of another kind.
    """
    if listing is not None:
        if listing.note:
            listener(Message(f"{part}: {listing.note}"))
        if listing.left_out:
            listener(Message(f"{table.source}: {listing.left_out}", warning=True))
        return _decoded(experiment, part, listing, listener)
    labelled = experiment.task.kind != "agreement"
    if experiment.task.kind == "segmentation":
        return _maps(experiment, part, table, listener)
    path = experiment.located(table.source)
    returned: Any
    if _is_file(path):
        returned = read_arrays(path) if labelled else read_arrays(path, ["inputs"])[0]
    else:
        returned = call_function(table.source, folder=Path(experiment.folder), error=DataError)
    take = _labelled if labelled else _unlabelled
    return take(returned, experiment, part, table, listener)


def _is_file(path: Path) -> bool:
    return path.suffix.lower() in FILES


def _decoded(
    experiment: Experiment,
    part: str,
    listing: Listing,
    listener: Listener,
) -> Samples:
    """Return the images of a listing, as networks read them."""
    images = experiment.task.images
    return decode_images(
        listing,
        images,
        name=part,
        cache=None if images.cache is None else experiment.located(images.cache),
        workers=images.workers,
        corrupt=images.corrupt,
        listener=listener,
    )


def _maps(
    experiment: Experiment,
    part: str,
    table: SamplesTable,
    listener: Listener,
) -> Samples:
    """Return images with a label map each, from a function that gives (inputs, maps)."""
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
    samples = from_maps(
        inputs, maps, name=part, **array_settings(experiment, part, inputs, listener)
    )
    return samples if table.limit is None else samples.first(table.limit)


def _labelled(
    returned: Any,
    experiment: Experiment,
    part: str,
    table: SamplesTable,
    listener: Listener,
) -> Samples:
    """Return the samples that a function returned, with their labels."""
    if isinstance(returned, tuple) and len(returned) == 2:
        settings = array_settings(experiment, part, returned[0], listener)
        samples = from_arrays(*returned, name=part, **settings)
        if table.limit is None or table.limit >= len(samples):
            return samples
        kept = evenly(samples.labels.tolist(), table.limit)
        return Samples(samples.inputs[kept], samples.labels[kept], part)
    if _is_dataset(returned):
        check_floats(experiment, part, listener)
        return from_dataset(returned, limit=table.limit, name=part, listener=listener)
    raise DataError(
        f"the function returned a {type(returned).__name__}; expected a torch Dataset with a "
        "length, or the pair (inputs, labels)"
    )


def _unlabelled(
    returned: Any,
    experiment: Experiment,
    part: str,
    table: SamplesTable,
    listener: Listener,
) -> Samples:
    """Return the inputs that a function returned, without labels that may come with them."""
    if isinstance(returned, tuple) and len(returned) == 2:
        returned = returned[0]
    if isinstance(returned, Tensor | np.ndarray):
        return _bare(returned, experiment, part, table.limit, listener)
    if _is_dataset(returned):
        check_floats(experiment, part, listener)
        return from_dataset(_Inputs(returned), limit=table.limit, name=part, listener=listener)
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


def _bare(
    inputs: Any, experiment: Experiment, part: str, limit: int | None, listener: Listener
) -> Samples:
    """Return inputs in an array, so many of them, spread evenly over their order."""
    if inputs.ndim == 0:
        raise DataError(f"inputs are the single number {inputs}; expected an array, (n, ...)")
    zeros = np.zeros(len(inputs), dtype=np.int64)
    samples = from_arrays(
        inputs, zeros, name=part, **array_settings(experiment, part, inputs, listener)
    )
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
