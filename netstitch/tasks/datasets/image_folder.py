"""Images of a folder: one folder per class, as torchvision's ImageFolder has them, or all."""

import os
from collections import Counter
from pathlib import Path

from netstitch.errors import DataError
from netstitch.tasks.datasets.class_order import ClassOrder, in_order
from netstitch.tasks.datasets.folder_layouts import describe_folder
from netstitch.tasks.datasets.folder_walk import (
    Contents,
    contents,
    describe_left_out,
    images_below,
    kind_of,
)
from netstitch.tasks.datasets.given import check_limit, path_of
from netstitch.tasks.datasets.image_files import ENDINGS
from netstitch.tasks.datasets.listing import Listing, labelled_images
from netstitch.tasks.datasets.sample_selection import spaced

SPLITS = ("val", "valid", "validation", "test", "train", "training")


def image_folder(path: Path | str, *, class_order: ClassOrder = "either") -> Listing:
    """Return the images in path/CLASS/**, by class and then by name, none of them opened.

    Links are followed. Hidden files and folders, and those that systems leave behind, are passed
    over. Files of kinds that are not read, moving pictures among them, are left out, which the
    listing says.

    Args:
        path: The folder of class folders.
        class_order: "text" as torchvision sorts them (0, 1, 10, 2), "number" as timm does (0, 1,
            2, 10), or their names in the order of the labels; needed only where the former two
            differ.

    Raises:
        DataError: When the folder is not laid out so, holds other classes than stated, the order
            of its classes is not clear, or a file is in two classes.
    """
    path = path_of(path, "a folder of images")
    found = _class_folders(path)
    names = in_order(path, found.names, class_order)
    left_out = Counter(f"{kind_of(image)} beside the class folders" for image in found.images)
    images: list[tuple[str, int]] = []
    empty = []
    for label, name in enumerate(names):
        files, others = images_below(path / name, path)
        if not files:
            instead = f" that are read ({describe_left_out(others)})" if others else ""
            empty.append(f"{path / name} holds no images{instead}")
        images += [(file, label) for file in files]
        left_out += others
    if empty:
        raise DataError(
            f"class folder {empty[0]} ({len(empty)} of {len(names)} such); expected files ending "
            f"in {ENDINGS}, fill or remove it"
        )
    return labelled_images(images, names, left_out)


def all_images(path: Path | str, *, limit: int | None = None) -> Listing:
    """Return all images of a folder and the folders in it, by their paths, none opened.

    Links are followed. Hidden files and folders are passed over, but the folder itself may lie in
    one. A `limit` keeps so many, spread evenly over the order, so that each folder has its part.

    Raises:
        DataError: Where there are none.
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
        files = [files[index] for index in spaced(len(files), limit)]
    return Listing(tuple(files), (0,) * len(files), left_out=said)


def _class_folders(path: Path) -> Contents:
    """Return the entries of a folder of class folders; raise DataError for another folder."""
    if not os.path.isdir(path) or not (found := contents(path)).folders:
        raise DataError(
            f"{describe_folder(path)}; expected one folder of images per class, such as "
            f"{path / 'cat' / '1.jpg'}"
        )
    _check_not_parent(path, found.folders)
    return found


def _check_not_parent(path: Path, folders: list[Path]) -> None:
    """Raise DataError where the folders are splits, or a lone wrapper, of class folders."""
    inner = []
    for folder in folders:
        inside = contents(folder)
        if inside.images:
            return
        if inside.folders:
            inner.append(folder)
    splits = [folder for split in SPLITS for folder in inner if folder.name.lower() == split]
    if splits and len(splits) == len(inner):
        found = ", ".join(folder.name for folder in folders)
        raise DataError(
            f"{path} holds the folders {found}, which look like splits and not like classes; "
            f"give one of them, such as {splits[0]}"
        )
    if len(folders) == 1 and inner:
        raise DataError(
            f"{path} holds the single folder {folders[0].name}, whose folders look like the "
            f"classes; give {folders[0]}"
        )
