"""What a folder looks like, for messages about folders that are laid out otherwise."""

from pathlib import Path

from netstitch.errors import DataError
from netstitch.tasks.datasets.image_files import is_image, is_left_behind
from netstitch.text import one_line

ARCHIVES = (".tar", ".gz", ".tgz", ".zip")


def subfolders(path: Path) -> list[Path]:
    """Return the folders inside, sorted, but hidden ones and what file managers leave behind.

    Raises DataError where the folder cannot be read.
    """
    return [entry for entry in contents(path) if not is_left_behind(entry.name) and entry.is_dir()]


def contents(path: Path) -> list[Path]:
    """Return what is in a folder, sorted; raises DataError where it cannot be read."""
    try:
        return sorted(path.iterdir())
    except OSError as error:
        raise DataError(
            f"folder {path} cannot be read: {(error.strerror or str(error)).lower()}; give one "
            "that can"
        ) from error


def is_synset(name: str) -> bool:
    """Whether a name is one of ImageNet's classes, such as n01440764."""
    return len(name) == 9 and name[0] == "n" and is_number(name[1:])


def is_number(name: str) -> bool:
    """Whether a name is made of the digits 0 to 9; other scripts have digits of their own."""
    return name.isascii() and name.isdigit()


def read_listed(path: Path) -> str:
    """The text of a file that came with a data set; raises DataError where it is none."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read ({one_line(error)}); expected a file of text, get it anew"
        ) from error


def described(path: Path) -> str:
    """What a folder holds, and which known layout that resembles, as a part of a sentence."""
    if not path.exists():
        return f"{path} does not exist"
    if not path.is_dir():
        return f"{path} is a file"
    folders = [folder.name for folder in subfolders(path)]
    resembled = _resembled(path, folders)
    if resembled:
        return f"{path} looks like {resembled}"
    archives = [file.name for file in contents(path) if file.suffix in ARCHIVES]
    if archives and not folders:
        return f"{path} holds archives that are not unpacked, such as {archives[0]}"
    if len(folders) == 1 and _resembled(path / folders[0], _names(path / folders[0])):
        within = path / folders[0]
        return f"{path} holds {folders[0]}, which looks like {_resembled(within, _names(within))}"
    if folders:
        more = f" and {len(folders) - 3} more" if len(folders) > 3 else ""
        return f"{path} holds the folders {', '.join(folders[:3])}{more}"
    images = sum(map(is_image, contents(path)))
    return f"{path} holds {images} images directly" if images else f"{path} is empty"


def _names(path: Path) -> list[str]:
    return [folder.name for folder in subfolders(path)]


def _resembled(path: Path, folders: list[str]) -> str | None:
    if "VOCdevkit" in folders or any(name.startswith("VOC20") for name in folders):
        return "PASCAL VOC"
    if {"JPEGImages", "ImageSets"} <= set(folders):
        return "one year of PASCAL VOC"
    if (path / "Data" / "CLS-LOC").is_dir() or "ILSVRC" in folders or "CLS-LOC" in folders:
        return "ImageNet in the CLS-LOC layout"
    if any(name.startswith("imagenetv2") for name in folders):
        return "ImageNetV2"
    if folders and all(is_synset(name) for name in folders):
        return "one split of ImageNet"
    if folders and all(map(is_number, folders)):
        return "one variant of ImageNetV2"
    for split in ("train", "val"):
        if split in folders and any(is_synset(one.name) for one in subfolders(path / split)):
            return "ImageNet in its original layout"
    holding = [name for name in folders if any(map(is_image, contents(path / name)))]
    return "one folder of images per class" if holding and holding == folders else None
