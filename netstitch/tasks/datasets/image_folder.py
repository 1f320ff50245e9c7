"""Samples from a folder of images with one folder per class, as torchvision's ImageFolder reads."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from netstitch.errors import DataError
from netstitch.tasks.datasets.class_order import ClassOrder, in_order
from netstitch.tasks.datasets.folder_walk import (
    Contents,
    Kinds,
    check_one_label,
    contents,
    describe_left_out,
    images_below,
    kind_of,
)
from netstitch.tasks.datasets.given import is_count, path_of
from netstitch.tasks.datasets.image_files import ENDINGS, open_image
from netstitch.tasks.datasets.listing import Listing
from netstitch.tasks.datasets.preprocessing import Preprocessing, to_colour
from netstitch.tasks.datasets.sample_selection import Selection
from netstitch.tasks.datasets.torch_dataset import Progress, decode
from netstitch.tasks.samples import Samples
from netstitch.text import printable

SPLITS = ("val", "valid", "validation", "test", "train", "training")
Transform = Callable[[Image.Image], Tensor]


def from_image_folder(
    path: Path | str,
    transform: Transform | None = None,
    *,
    classes: int | Sequence[str] | None = None,
    class_order: ClassOrder = "either",
    limit: int | None = None,
    selection: Selection = "evenly",
    workers: int = 0,
    name: str | None = None,
    progress: Progress | None = None,
) -> Samples:
    """Return samples from images in path/CLASS/**; labels number the class folders.

    Args:
        path: The folder of class folders.
        transform: From a PIL image (RGB, whatever the file's mode) to a float tensor; by default
            `Preprocessing()`, and a `Preprocessing` of other sizes or means may be given.
        classes: How many class folders there must be, or their names in the order of the labels.
        class_order: "text" as torchvision sorts them (0, 1, 10, 2), "number" as timm does (0, 1,
            2, 10), or their names in the order of the labels; needed only where the former two
            differ.
        limit: Keep so many, evenly over the classes (see `evenly`), so that a small part still
            holds every class.
        selection: "first" keeps the first in order of class and file name instead.
        workers: Processes that decode.
        name: By default the folder's.
        progress: Called with (samples decoded, samples in all).

    Raises:
        DataError: When the folder is not laid out so, holds other classes than stated, the order
            of its classes is not clear, a file is in two classes, or an image is damaged (the
            message names the file); and as `Samples` does.
    """
    path = path_of(path, "a folder of images")
    listing = image_folder(path, classes=classes, class_order=class_order).kept(limit, selection)
    return decode_files(listing, transform, workers, path.name if name is None else name, progress)


def image_folder(
    path: Path | str,
    *,
    classes: int | Sequence[str] | None = None,
    class_order: ClassOrder = "either",
) -> Listing:
    """Return the images in path/CLASS/**, by class and then by name, none of them opened.

    Links are followed. Hidden files and folders, and those that systems leave behind, are passed
    over. Files of kinds that are not read, moving pictures among them, are left out, which the
    listing says. Arguments and errors are those of `from_image_folder`.
    """
    path = path_of(path, "a folder of images")
    found = _class_folders(path)
    if isinstance(classes, Sequence) and not isinstance(classes, str) and class_order == "either":
        class_order = list(classes)
    elif classes is not None and not is_count(classes):
        raise DataError(
            f"{path}: classes is {classes!r:.60} and class_order {class_order!r:.60}; expected the "
            "number of classes and an order, or a list of their names alone"
        )
    ordered = in_order(path, found.names, class_order)
    if isinstance(classes, int):
        check_count(path, ordered, classes)
    beside = Counter(f"{kind_of(image)} beside the class folders" for image in found.images)
    return _listed(path, ordered, beside)


def decode_files(
    listing: Listing,
    transform: Transform | None,
    workers: int,
    name: str,
    progress: Progress | None,
) -> Samples:
    """Return the samples of a listing, each opened once and transformed."""
    files = list(zip(listing.files, listing.labels, strict=True))
    dataset = _Images(files, transform or Preprocessing())
    return decode(dataset, list(listing.files), workers, name, progress)


def check_count(path: object, names: Sequence[str], classes: int) -> None:
    """Raise DataError where there are not as many class folders as classes."""
    if classes != len(names):
        shown = printable(", ".join(names[:5])) + (", ..." if len(names) > 5 else "")
        raise DataError(
            f"{path} holds {len(names)} class folders; expected {classes} and found {shown}: check "
            "the folder and the number of classes"
        )


def _class_folders(path: Path) -> Contents:
    """Return what lies in a folder of class folders, or raise a DataError that says what does."""
    layout = f"expected one folder of images per class, such as {path / 'cat' / '1.jpg'}"
    if not os.path.exists(path):  # which, unlike the path's own, says no where it may not look
        raise DataError(f"folder {path} does not exist; {layout}")
    if not path.is_dir():
        raise DataError(f"{path} is a file; {layout}")
    found = contents(path)
    if not found.folders:
        images = len(found.images)
        holds = f"holds {images} images directly" if images else "holds no folders"
        raise DataError(f"{path} {holds}; {layout}")
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


def _listed(path: Path, names: list[str], left_out: Kinds) -> Listing:
    """List the images of each class, by label and then by file name."""
    files: list[str] = []
    labels: list[int] = []
    empty = []
    for label, name in enumerate(names):
        found, others = images_below(path / name, path)
        if not found:
            instead = f" that are read ({describe_left_out(others)})" if others else ""
            empty.append(f"{path / name} holds no images{instead}")
        files += found
        labels += [label] * len(found)
        left_out += others
    if empty:
        raise DataError(
            f"class folder {empty[0]} ({len(empty)} of {len(names)} such); expected files ending "
            f"in {ENDINGS}, fill or remove it"
        )
    check_one_label(files, labels, names)
    return Listing(
        tuple(files),
        tuple(labels),
        classes=tuple(names),
        left_out=describe_left_out(left_out),
    )


class _Images(Dataset[tuple[Tensor, int]]):
    """Opened and transformed images with their labels."""

    def __init__(self, files: list[tuple[str, int]], transform: Transform) -> None:
        self.files, self.transform = files, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        file, label = self.files[index]
        image = open_image(file)
        if not isinstance(self.transform, Preprocessing):
            image = to_colour(image)
        return self.transform(image), label
