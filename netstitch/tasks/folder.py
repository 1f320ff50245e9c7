"""Samples from a folder of images with one folder per class, as torchvision's ImageFolder reads."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from netstitch.errors import DataError
from netstitch.tasks.dataset import Progress, decode
from netstitch.tasks.image import EXTENSIONS, is_image, open_image
from netstitch.tasks.layouts import subfolders
from netstitch.tasks.listing import Listing
from netstitch.tasks.preprocessing import Preprocessing, to_colour
from netstitch.tasks.samples import Samples
from netstitch.tasks.selection import Selection

SPLITS = ("val", "valid", "validation", "test", "train", "training")
Transform = Callable[[Image.Image], Tensor]


def from_image_folder(
    path: Path | str,
    transform: Transform | None = None,
    *,
    classes: int | Sequence[str] | None = None,
    limit: int | None = None,
    selection: Selection = "evenly",
    workers: int = 0,
    name: str | None = None,
    progress: Progress | None = None,
) -> Samples:
    """Samples from images in path/CLASS/**; labels number the class folders in sorted order.

    transform: from a PIL image (RGB, whatever the file's mode) to a float tensor; by default
    `Preprocessing()`, and a `Preprocessing` of other sizes or means may be given.
    classes: how many class folders there must be, or their names in the order of the labels.
    limit: keep that many, evenly over the classes (see `evenly`), so that a small part still holds
    every class; selection "first" keeps the first in order of class and file name instead.
    workers: processes that decode. name: by default the folder's.

    Raises DataError when the folder is not laid out so, holds other classes than stated, or an
    image is damaged (the message names the file); and as `Samples` does.
    """
    path = Path(path)
    name = path.name if name is None else name
    found = image_folder(path, classes=classes).kept(limit, selection)
    files = list(zip(found.files, found.labels, strict=True))
    dataset = Images(files, Preprocessing() if transform is None else transform)
    return decode(dataset, list(found.files), workers, name, progress)


def image_folder(path: Path | str, *, classes: int | Sequence[str] | None = None) -> Listing:
    """The images in path/CLASS/**, by class and then by name, none of them opened.

    classes: as of `from_image_folder`, and so are the errors.
    """
    path = Path(path)
    names = _class_names(path)
    if isinstance(classes, int) and classes != len(names):
        raise DataError(
            f"{path} holds {len(names)} class folders; expected {classes}, check the folder and "
            "the number of classes"
        )
    if classes is not None and not isinstance(classes, int):
        names = _in_order(path, names, list(classes))
    files = _files(path, names)
    return Listing(
        tuple(file for file, _ in files), tuple(label for _, label in files), classes=tuple(names)
    )


def _class_names(path: Path) -> list[str]:
    """The class folders' names, sorted; or a DataError that says what the folder looks like."""
    layout = f"expected one folder of images per class, such as {path / 'cat' / '1.jpg'}"
    if not path.exists():
        raise DataError(f"folder {path} does not exist; {layout}")
    if not path.is_dir():
        raise DataError(f"{path} is a file; {layout}")
    folders = subfolders(path)
    if not folders:
        images = sum(is_image(file) for file in path.iterdir())
        holds = f"holds {images} images directly" if images else "holds no folders"
        raise DataError(f"{path} {holds}; {layout}")
    _check_not_parent(path, folders)
    return [folder.name for folder in folders]


def _check_not_parent(path: Path, folders: list[Path]) -> None:
    """Raise DataError where the folders are splits, or a lone wrapper, of class folders."""
    if any(is_image(file) for folder in folders for file in folder.iterdir()):
        return
    inner = [folder for folder in folders if subfolders(folder)]
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


def _in_order(path: Path, found: list[str], stated: list[str]) -> list[str]:
    missing = [name for name in stated if name not in found]
    surplus = [name for name in found if name not in stated]
    if missing or surplus or len(set(stated)) != len(stated):
        raise DataError(
            f"{path} holds other classes than stated: {_some(missing)} missing, {_some(surplus)} "
            "surplus; expected each stated class once, check the folder and the names"
        )
    return stated


def _files(path: Path, names: list[str]) -> list[tuple[str, int]]:
    """(file, label) of every image, by label and then by file name."""
    # Here, not above: torchvision takes longer to import than all of this room.
    from torchvision.datasets.folder import make_dataset

    # Its own complaint about empty classes does not say which folder it looked in; ours does.
    files: list[tuple[str, int]] = make_dataset(
        str(path), {name: i for i, name in enumerate(names)}, EXTENSIONS, allow_empty=True
    )
    held = {label for _, label in files}
    empty = [name for label, name in enumerate(names) if label not in held]
    if empty:
        raise DataError(
            f"class folder {path / empty[0]} holds no images ({len(empty)} of {len(names)} such); "
            f"expected files ending in {', '.join(EXTENSIONS)}, fill or remove it"
        )
    return sorted(files, key=lambda item: (item[1], item[0]))


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:3]) or "none"
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


class Images(Dataset[Any]):
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
