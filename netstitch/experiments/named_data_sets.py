"""Data sets that an experiment names: how they are listed, and where they are to be had."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from netstitch.errors import DataError
from netstitch.experiments.experiment import Experiment
from netstitch.experiments.task_table import SamplesTable
from netstitch.tasks import Listing, imagenet, imagenet_v2, voc


@dataclass(frozen=True)
class DataSet:
    """A data set with a layout of its own.

    Attributes:
        title: What it is called.
        origin: Where it is to be had.
        listed: Lists its images, from its folder and a table of samples.
        splits: Its splits; none where it has none.
        keys: Those of a samples table that it takes.
        masks: Whether it has a class for each pixel.
    """

    title: str
    origin: str
    listed: Callable[[Path, SamplesTable], Listing]
    splits: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    masks: bool = False


def _imagenet(folder: Path, table: SamplesTable) -> Listing:
    return imagenet(folder, "train" if table.split == "train" else "val", boxes=table.boxes)


def _voc(folder: Path, table: SamplesTable) -> Listing:
    if table.year is None:
        raise DataError("it lacks the key 'year'; expected 2007 or 2012")
    return voc(folder, table.year, str(table.split))


DATA_SETS = {
    "imagenet": DataSet(
        "ImageNet (ILSVRC 2012)",
        "https://image-net.org/download",
        _imagenet,
        splits=("train", "val"),
        keys=("split", "boxes"),
    ),
    "imagenetv2": DataSet(
        "ImageNetV2 (all three variants)",
        "https://huggingface.co/datasets/vaishaal/ImageNetV2",
        lambda folder, _: imagenet_v2(folder),
    ),
    "voc": DataSet(
        "PASCAL VOC 2012 (train and val) and 2007 (test)",
        "http://host.robots.ox.ac.uk/pascal/VOC",
        _voc,
        splits=("train", "val", "trainval", "test"),
        keys=("split", "year"),
        masks=True,
    ),
}
"""By the word before the colon of a source."""


def is_data_set(source: str) -> bool:
    """Return whether a source names a data set and its folder, such as "imagenet:ILSVRC2012"."""
    word, colon, folder = source.partition(":")
    return bool(colon and folder) and word in DATA_SETS


def folder_of(experiment: Experiment, source: str) -> Path:
    """Return the folder of a data set: from that of all data sets, where the experiment has one."""
    folder = os.path.expanduser(source.partition(":")[2])
    return Path(experiment.folder) / os.path.expanduser(experiment.data) / folder


def list_data_set(experiment: Experiment, table: SamplesTable) -> Listing:
    """Return the images of a part that names a data set.

    Raises:
        DataError: The table does not fit the data set, the folder is laid out otherwise, or the
            classes are not as many as the experiment's.
    """
    word = table.source.partition(":")[0]
    found = DATA_SETS[word]
    for key, value in (("split", table.split), ("boxes", table.boxes), ("year", table.year)):
        if value and key not in found.keys:
            raise DataError(f"{found.title} takes no {key!r}; leave it out")
    if found.splits and table.split not in found.splits:
        named = "no split is named" if table.split is None else f"it has no split {table.split!r}"
        raise DataError(f"{named}; expected split = one of {', '.join(map(repr, found.splits))}")
    if found.masks != (experiment.task.kind == "segmentation"):
        kind = "a class for each pixel" if found.masks else "a class for each image"
        raise DataError(f"{found.title} has {kind}, and the task is {experiment.task.kind}")
    listing = found.listed(folder_of(experiment, table.source), table)
    classes = experiment.task.classes
    if classes is not None and len(listing.classes) != classes:
        raise DataError(
            f"it has {len(listing.classes)} classes and the task {classes}; expected as many, "
            "check the folder and the number of classes"
        )
    return listing


def check_there(experiment: Experiment) -> None:
    """Raise DataError where data sets are not there at all: which, where from, and where to."""
    task = experiment.task
    missing: dict[tuple[str, Path], None] = {}
    for table in (task.training, task.validation, task.test):
        if table is not None and is_data_set(table.source):
            folder = folder_of(experiment, table.source)
            if not folder.exists():
                missing[table.source.partition(":")[0], folder] = None
    if not missing:
        return
    wanted = " and ".join(
        f"{DATA_SETS[word].title}, from {DATA_SETS[word].origin}, in {folder}"
        for word, folder in missing
    )
    raise DataError(
        f"{experiment.name} needs data that is not there: {wanted}; unpack it there, or name the "
        "folder that holds it with --data"
    )
