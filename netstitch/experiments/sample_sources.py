"""Samples of an experiment, with labels or without, from where its file says they are."""

import os
from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from netstitch.errors import DataError
from netstitch.events import Listener, Message, ignore
from netstitch.experiments.experiment import Experiment
from netstitch.experiments.named_data_sets import is_data_set, list_data_set
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
)
from netstitch.tasks.datasets.array_files import FILES
from netstitch.tasks.datasets.sample_selection import spaced

BYTES = (torch.uint8, np.dtype(np.uint8))


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
        part: The name.
        table: What says where they are.
        listing: What `list_images` gave for it.
        listener: Told what was left out, and how far reading is.

    Raises:
        DataError: The source is missing, empty, damaged or of another kind.
    """
    reader = _SourceReader(experiment, part, table, listener)
    if listing is not None:
        return reader.decoded(listing)
    if experiment.task.kind == "segmentation":
        return reader.maps()
    labelled, path = experiment.task.kind != "agreement", experiment.located(table.source)
    if _is_file(path):
        found: object = read_arrays(path) if labelled else read_arrays(path, ["inputs"])[0]
    else:
        found = reader.returned()
    return reader.labelled(found) if labelled else reader.unlabelled(found)


def _is_file(path: Path) -> bool:
    return path.suffix.lower() in FILES


@dataclass(frozen=True)
class _SourceReader:
    """Reads one part of an experiment's samples; the fields are as of `read_source`."""

    experiment: Experiment
    part: str
    table: SamplesTable
    listener: Listener

    def decoded(self, listing: Listing) -> Samples:
        """Return the images of a listing, as networks read them."""
        if listing.note:
            self.listener(Message(f"{self.part}: {listing.note}"))
        if listing.left_out:
            self.listener(Message(f"{self.table.source}: {listing.left_out}", warning=True))
        images = self.experiment.task.images
        return decode_images(
            listing,
            images,
            name=self.part,
            cache=None if images.cache is None else self.experiment.located(images.cache),
            workers=images.workers,
            corrupt=images.corrupt,
            listener=self.listener,
        )

    def returned(self) -> Any:
        """Return the result of the function that the source names."""
        folder = Path(self.experiment.folder)
        return call_function(self.table.source, folder=folder, error=DataError)

    def maps(self) -> Samples:
        """Return images with a label map each, from a function that gives (inputs, maps)."""
        if not is_function(self.table.source):
            raise DataError(
                "segmentation reads a data set ('voc:FOLDER'), or what 'file.py:function' gives; "
                "expected one of these"
            )
        found = self.returned()
        if not _is_pair(found):
            shapes = "(n, channels, height, width) and (n, height, width)"
            raise _unexpected(found, f"the pair (inputs, maps), {shapes}")
        samples = from_maps(*found, name=self.part, **self._scaling(found[0]))
        return samples if self.table.limit is None else samples.first(self.table.limit)

    def labelled(self, found: Any) -> Samples:
        """Return the samples that a file or function gave, with their labels."""
        if not _is_pair(found):
            return self._items(found, found, "the pair (inputs, labels)")
        samples = from_arrays(*found, name=self.part, **self._scaling(found[0]))
        limit = self.table.limit
        if limit is None or limit >= len(samples):
            return samples
        return samples.taken(torch.tensor(evenly(samples.labels.tolist(), limit)))

    def unlabelled(self, found: Any) -> Samples:
        """Return the inputs that a file or function gave, without labels that may come along."""
        inputs = found[0] if _is_pair(found) else found
        if not isinstance(inputs, Tensor | np.ndarray):
            return self._items(inputs, _Inputs(inputs), "a tensor or an array of inputs")
        if inputs.ndim == 0:
            raise DataError(f"inputs are the single number {inputs}; expected an array, (n, ...)")
        zeros, limit = np.zeros(len(inputs), dtype=np.int64), self.table.limit
        samples = from_arrays(inputs, zeros, name=self.part, **self._scaling(inputs))
        if limit is None or limit >= len(samples):
            return samples
        return samples.taken(torch.tensor(spaced(len(samples), limit)))

    def _items(self, found: object, dataset: Any, otherwise: str) -> Samples:
        if (
            not isinstance(found, Sized)
            or not hasattr(found, "__getitem__")
            or isinstance(found, dict | str | tuple | Tensor)
        ):
            raise _unexpected(found, f"{otherwise}, or a torch Dataset with a length")
        self._check_floats()
        limit = self.table.limit
        return from_dataset(dataset, limit=limit, name=self.part, listener=self.listener)

    def _scaling(self, inputs: object) -> dict[str, Any]:
        """Return the keyword arguments of `from_arrays` for images in arrays, bytes or floats."""
        images = self.experiment.task.images
        dtype = inputs.dtype if isinstance(inputs, Tensor | np.ndarray) else None
        if dtype not in BYTES:
            self._check_floats()
            return {"images": images.arrays}
        if images.normalisation is None and self._adapted:
            raise DataError(
                "networks have images of their own, and [task.images] does not say what these "
                "bytes are normalised with; give mean and std there (0 and 1 for not at all)"
            )
        return {"images": images.arrays, "normalisation": images.normalisation}

    def _check_floats(self) -> None:
        """Raise DataError where a mean or std is given for floats, which are taken as they are.

        Where it is that of images in folders too, the listener is warned instead. Where networks
        have images of their own, it says what the floats are normalised with, and is right.
        """
        task = self.experiment.task
        if task.images.normalisation is None or self._adapted:
            return
        tables = (task.training, task.validation, task.test)
        sources = [table.source for table in tables if table is not None]
        if any(is_data_set(one) or self.experiment.located(one).is_dir() for one in sources):
            text = (
                f"the {self.part} samples are floating point and taken as they are; mean and std "
                "of [task.images] are applied to images in folders alone"
            )
            self.listener(Message(text, warning=True))
            return
        raise DataError(
            "inputs are floating point, which are taken as they are, and [task.images] has a mean "
            "or std; leave these out, or give bytes (uint8), to which they are applied"
        )

    @property
    def _adapted(self) -> bool:
        return any(network.images is not None for network in self.experiment.networks)


def _is_pair(found: object) -> bool:
    return isinstance(found, tuple) and len(found) == 2


def _unexpected(found: object, expected: str) -> DataError:
    return DataError(f"the function returned a {type(found).__name__}; expected {expected}")


class _Inputs(Dataset[Any]):
    """The items of a dataset with a label that does not count."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> object:
        item = self.dataset[index]
        return (item[0] if isinstance(item, tuple | list) else item), 0
