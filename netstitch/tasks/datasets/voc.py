"""PASCAL VOC for segmentation: VOCdevkit/VOC2012 and VOC2007, 20 classes and the background.

In the folder of a year, ImageSets/Segmentation/SPLIT.txt names the images of a split, JPEGImages
holds them, and SegmentationClass their label maps: class numbers in a palette, 255 for pixels that
do not count.

Everingham et al. (2010), The Pascal Visual Object Classes (VOC) Challenge.
"""

from pathlib import Path

from netstitch.errors import DataError
from netstitch.tasks.datasets.folder_layouts import describe_folder, read_listed
from netstitch.tasks.datasets.given import path_of
from netstitch.tasks.datasets.listing import Listing

CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
YEARS = (2007, 2012)


def voc(folder: Path | str, year: int, split: str) -> Listing:
    """Return the images of a split that have label maps, in the order of its list.

    Files that the list names may be missing, as they may be damaged; who reads them finds out.

    Args:
        folder: The one that holds VOCdevkit, VOCdevkit itself, or that of the year.
        year: 2007 or 2012.
        split: Such as "train", "val" and "trainval"; 2007 also has "test".

    Raises:
        DataError: Where the folder is laid out otherwise (with what it looks like), or the split
            is missing.
    """
    folder = path_of(folder, "a folder of PASCAL VOC")
    if year not in YEARS:
        raise DataError(f"PASCAL VOC {year} has no label maps here; give the year 2007 or 2012")
    name = f"VOC{year}"
    places = [folder / "VOCdevkit" / name, folder / name]
    if folder.name == name or not folder.name.startswith("VOC20"):
        places.append(folder)
    root = next((place for place in places if (place / "ImageSets").is_dir()), None)
    if root is None:
        raise DataError(
            f"{describe_folder(folder)}; expected VOCdevkit/{name} in it, with the folders "
            "ImageSets, JPEGImages and SegmentationClass"
        )
    lists = root / "ImageSets" / "Segmentation"
    if not (lists / f"{split}.txt").is_file():
        there = ", ".join(sorted(path.stem for path in lists.glob("*.txt"))) or "none"
        raise DataError(f"{root} has no split {split!r} for segmentation; it has {there}")
    names = read_listed(lists / f"{split}.txt").split()
    if not names:
        raise DataError(f"{lists / f'{split}.txt'} names no images; expected one on each line")
    images = tuple(str(root / "JPEGImages" / f"{one}.jpg") for one in names)
    masks = tuple(str(root / "SegmentationClass" / f"{one}.png") for one in names)
    return Listing(images, (0,) * len(names), masks, CLASSES)
