"""Samples without labels: for fitting, and for tasks that label samples themselves."""

import os
from pathlib import Path

import torch
from torch import Tensor

from netstitch.errors import DataError
from netstitch.tasks.datasets.folder_walk import describe_left_out, images_below
from netstitch.tasks.datasets.given import check_limit, described, path_of
from netstitch.tasks.datasets.image_files import ENDINGS
from netstitch.tasks.datasets.image_folder import Transform, decode_files
from netstitch.tasks.datasets.listing import Listing
from netstitch.tasks.datasets.torch_dataset import Progress
from netstitch.tasks.samples import Samples


def unlabelled(inputs: Tensor, name: str = "validation") -> Samples:
    """Return samples of which only the inputs (n, ...) are known; raises as `Samples` does."""
    if not isinstance(inputs, Tensor) or inputs.ndim == 0:
        raise DataError(f"{name}: inputs are {described(inputs)}; expected a tensor, (n, ...)")
    return Samples(inputs, torch.zeros(len(inputs), dtype=torch.int64), name)


def from_images(
    path: Path | str,
    transform: Transform | None = None,
    *,
    limit: int | None = None,
    workers: int = 0,
    name: str | None = None,
    progress: Progress | None = None,
) -> Samples:
    """Return unlabelled samples from all images of a folder and the folders in it, by their paths.

    A `limit` keeps so many, spread evenly over the order, so that each folder has its part. The
    other arguments are those of `from_image_folder`.

    Raises:
        DataError: Where there are none, or one is damaged (the message names the file).
    """
    path = path_of(path, "a folder of images")
    listing = all_images(path, limit=limit)
    return decode_files(listing, transform, workers, path.name if name is None else name, progress)


def all_images(path: Path | str, *, limit: int | None = None) -> Listing:
    """Return all images of a folder and the folders in it, by their paths, none opened.

    Links are followed. Hidden files and folders are passed over, but the folder itself may lie in
    one. `limit` and the errors are those of `from_images`.
    """
    path = path_of(path, "a folder of images")
    check_limit(limit)
    if not os.path.isdir(path):  # which, unlike the path's own, says no where it may not look
        raise DataError(f"{path} is no folder; expected one with images in it")
    files, left_out = images_below(path)
    said = describe_left_out(left_out)
    if not files:
        raise DataError(
            f"{path} holds no images{f' ({said})' if said else ''}; expected files ending in "
            f"{ENDINGS}, in it or in its folders"
        )
    if limit is not None and limit < len(files):
        files = [files[index * len(files) // limit] for index in range(limit)]
    return Listing(tuple(files), (0,) * len(files), left_out=said)
