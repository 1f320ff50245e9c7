"""The layouts of known data sets, for messages about folders that are laid out otherwise."""

import os
from pathlib import Path

from netstitch.errors import DataError
from netstitch.tasks.datasets.folder_walk import Contents, contents
from netstitch.text import first_of, one_line

ARCHIVES = (".tar", ".gz", ".tgz", ".zip")


def is_synset(name: str) -> bool:
    """Return whether a name is one of ImageNet's classes, such as n01440764."""
    return len(name) == 9 and name[0] == "n" and is_number(name[1:])


def is_number(name: str) -> bool:
    """Return whether a name is made of the digits 0 to 9, and not of those of other scripts."""
    return name.isascii() and name.isdigit()


def read_listed(path: Path) -> str:
    """Return the text of a file that came with a data set; raise DataError where it is none."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read ({one_line(error)}); expected a file of text, get it anew"
        ) from error


def describe_folder(path: Path) -> str:
    """Return words on a folder's content, and on the known layout that it resembles."""
    if not os.path.isdir(path):  # which, unlike the path's own, says no where it may not look
        return f"{path} is a file" if os.path.exists(path) else f"{path} does not exist"
    found = contents(path)
    if resembled := _resembled(path, found):
        return f"{path} looks like {resembled}"
    archives = [name for name in found.others if Path(name).suffix in ARCHIVES]
    if archives and not found.folders:
        return f"{path} holds archives that are not unpacked, such as {archives[0]}"
    if len(found.folders) == 1 and (
        resembled := _resembled(found.folders[0], contents(found.folders[0]))
    ):
        return f"{path} holds {found.names[0]}, which looks like {resembled}"
    if found.folders:
        return f"{path} holds the folders {first_of(found.names)}"
    held = f"{len(found.images)} images directly" if found.images else "no folders and no images"
    return f"{path} holds {held}"


def _resembled(path: Path, found: Contents) -> str | None:
    names = found.names
    if "VOCdevkit" in names or any(name.startswith("VOC20") for name in names):
        return "PASCAL VOC"
    if {"JPEGImages", "ImageSets"} <= set(names):
        return "one year of PASCAL VOC"
    if (path / "Data" / "CLS-LOC").is_dir() or "ILSVRC" in names or "CLS-LOC" in names:
        return "ImageNet in the CLS-LOC layout"
    if any(name.startswith("imagenetv2") for name in names):
        return "ImageNetV2"
    if names and all(map(is_synset, names)):
        return "one split of ImageNet"
    if names and all(map(is_number, names)):
        return "one variant of ImageNetV2"
    for split in ("train", "val"):
        if split in names and any(map(is_synset, contents(path / split).names)):
            return "ImageNet in its original layout"
    classes = bool(names) and all(contents(folder).images for folder in found.folders)
    return "one folder of images per class" if classes else None
