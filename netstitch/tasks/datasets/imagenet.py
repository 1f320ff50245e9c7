"""ImageNet (ILSVRC 2012), in the layouts that it is distributed in.

The original: train/WNID/*.JPEG; val/*.JPEG, with the classes in the development kit
ILSVRC2012_devkit_t12, or val/WNID/*.JPEG; boxes as ILSVRC2012_bbox_train_v2 has them,
WNID/*.xml. CLS-LOC: ILSVRC/Data/CLS-LOC/train/WNID/*.JPEG and val/*.JPEG, ILSVRC/Annotations/
CLS-LOC/train/WNID/*.xml and val/*.xml, and LOC_val_solution.csv where the latter are not there.
Classes are numbered in the order of their WordNet identifiers, as networks have them.

Russakovsky et al. (2015), ImageNet Large Scale Visual Recognition Challenge.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from netstitch.errors import DataError
from netstitch.tasks.datasets.folder_layouts import describe_folder, is_synset, read_listed
from netstitch.tasks.datasets.folder_walk import Contents, Kinds, contents
from netstitch.tasks.datasets.given import path_of
from netstitch.tasks.datasets.listing import Listing, labelled_images

ImageNetSplit = Literal["train", "val"]

BOXES = ("Annotation", "Annotations", "bbox_train", "bbox", "ILSVRC2012_bbox_train_v2")
"""Folders that boxes of the original layout were unpacked to."""
DEVKIT = "ILSVRC2012_devkit_t12"
SOLUTIONS = "LOC_val_solution.csv"
EXPECTED = (
    "expected ImageNet's original layout (train/n01440764/*.JPEG, val/) or the CLS-LOC layout "
    "(ILSVRC/Data/CLS-LOC/train/n01440764/*.JPEG, ILSVRC/Data/CLS-LOC/val/)"
)


def imagenet(folder: Path | str, split: ImageNetSplit, *, boxes: bool = False) -> Listing:
    """Return the images of a split, by class and then by name; of "val" by name.

    Args:
        folder: The data set, in one of its layouts.
        split: "train" or "val".
        boxes: Only images with a file of bounding boxes, as the paper trains on (section 6).

    Raises:
        DataError: Where the folder is laid out otherwise (with what it looks like), where the
            split, the boxes or the classes of validation images are missing, or a class is not
            known.
    """
    folder = path_of(folder, "a folder of ImageNet")
    if split not in ("train", "val"):
        raise DataError(f"ImageNet has no split {split!r}; give 'train' or 'val'")
    roots = (folder, folder / "ILSVRC")
    root = next((root for root in roots if (root / "Data" / "CLS-LOC").is_dir()), None)
    images = folder if root is None else root / "Data" / "CLS-LOC"
    if root is None and not any((folder / name).is_dir() for name in ("train", "val")):
        raise DataError(f"{describe_folder(folder)}; {EXPECTED}")
    place, found = _split(images, split)
    annotations = None if root is None else root / "Annotations" / "CLS-LOC" / split
    notes = (annotations or _boxes_of(folder, split)) if boxes else None
    known = _known_synsets(folder, images) if split == "val" else []
    if split == "train" or any(map(is_synset, found.names)):  # validation images, sorted since
        return _by_class(place, found, notes, known)
    if not found.images:
        raise DataError(f"{describe_folder(place)}; expected images ending in .JPEG")
    files = {Path(file).stem: file for file in found.images}
    if annotations is None:
        synset_of, known = _of_devkit(folder, sorted(files))
        source = str(folder / DEVKIT)
    else:
        synset_of, source = _of_cls_loc(folder, annotations, files)
    if notes is not None:
        noted = {stem: file for stem, file in files.items() if (notes / f"{stem}.xml").exists()}
        if not noted:
            raise DataError(f"no image has boxes in {notes}; expected {min(files)}.xml there")
        files = noted
    return _flat(files, synset_of, known or synset_of.values(), source, found)


def _split(root: Path, split: str) -> tuple[Path, Contents]:
    """Return the folder of a split, and what lies in it."""
    if not (root / split).is_dir():
        there = ", ".join(contents(root).names) or "nothing"
        raise DataError(f"{root} has no split {split!r}: it holds {there}; put the split there")
    return root / split, contents(root / split)


def _by_class(place: Path, found: Contents, notes: Path | None, known: Sequence[str]) -> Listing:
    """List images in a folder of each class; those with a file in `notes` where there is one.

    `known` are all classes, where something says them: validation images may be of some only, and
    must have the same numbers.
    """
    strange = [name for name in found.names if not is_synset(name)]
    if strange or not found.names:
        what = f"holds the folder {strange[0]}" if strange else "holds no folders"
        raise DataError(f"{place} {what}; expected one for each class, named as n01440764")
    if found.images:
        raise DataError(
            f"{place} holds class folders, and {len(found.images)} images beside them, such as "
            f"{Path(found.images[0]).name}; expected all in one way, finish sorting them"
        )
    classes = known or found.names
    numbers = {synset: label for label, synset in enumerate(classes)}
    images: list[tuple[str, int]] = []
    left_out: Kinds = Counter()
    for folder in found.folders:
        synset, inside = folder.name, contents(folder)
        if synset not in numbers:
            raise DataError(
                f"{place} holds the class {synset}, which the training images have not; expected "
                f"some of their {len(classes)} classes"
            )
        if not inside.images:
            raise DataError(
                f"{folder} holds no images; expected *.JPEG, unpack it again or remove it"
            )
        noted = None if notes is None else {note.stem for note in (notes / synset).glob("*.xml")}
        images += [
            (file, numbers[synset])
            for file in inside.images
            if noted is None or Path(file).stem in noted
        ]
        left_out += inside.kinds
    if not images:
        raise DataError(f"{place} holds no images that have boxes in {notes}; expected n*/*.xml")
    return labelled_images(images, classes, left_out)


def _flat(
    files: Mapping[str, str],
    synset_of: Mapping[str, str],
    synsets: Iterable[str],
    source: str,
    found: Contents,
) -> Listing:
    """List images in one folder, with their classes by name, which are from `source`."""
    number = {synset: label for label, synset in enumerate(sorted(set(synsets)))}
    images = []
    for stem, file in sorted(files.items()):
        synset = synset_of.get(stem)
        if synset not in number:
            what = "no class" if synset is None else f"the class {synset}, which is not known"
            raise DataError(
                f"{file} has {what} in {source}; expected one of {len(number)}, get it anew"
            )
        images.append((file, number[synset]))
    return labelled_images(images, tuple(number), found.kinds)


def _known_synsets(folder: Path, images: Path) -> list[str]:
    """Return all classes, as the mapping or the training images say; none without either."""
    mapping, train = folder / "LOC_synset_mapping.txt", images / "train"
    if mapping.exists():
        return [line.split()[0] for line in read_listed(mapping).splitlines() if line.strip()]
    return [name for name in contents(train).names if is_synset(name)] if train.is_dir() else []


def _of_cls_loc(
    folder: Path, annotations: Path, stems: Iterable[str]
) -> tuple[dict[str, str], str]:
    """Return the classes of validation images by name, and what they are from."""
    for path in (folder / SOLUTIONS, folder / "ILSVRC" / SOLUTIONS):
        if path.exists():
            try:
                rows = csv.DictReader(read_listed(path).splitlines())
                solved = {row["ImageId"]: row["PredictionString"].split()[0] for row in rows}
            except (KeyError, IndexError, AttributeError, csv.Error) as error:
                raise DataError(
                    f"{path} is damaged; expected the columns ImageId and PredictionString"
                ) from error
            return solved, SOLUTIONS
    if not annotations.is_dir():
        raise DataError(
            f"the classes of the images in {folder} are not there; expected {SOLUTIONS} in it, or "
            f"{annotations}/*.xml"
        )
    return _of_annotations(annotations, stems), str(annotations)


def _of_annotations(notes: Path, stems: Iterable[str]) -> dict[str, str]:
    """Return the class of each image's first object, by an expression: no XML is parsed."""
    found = {}
    for stem in stems:
        path = notes / f"{stem}.xml"
        text = read_listed(path) if path.exists() else ""
        name = re.search(r"<name>\s*(n\d{8})\s*</name>", text)
        if name is None:
            raise DataError(f"{path} names no class; expected <object><name>n01440764</name>")
        found[stem] = name[1]
    return found


def _of_devkit(folder: Path, stems: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the classes of validation images by name, and all classes."""
    from scipy.io import loadmat

    data = folder / DEVKIT / "data"
    truth, meta = data / "ILSVRC2012_validation_ground_truth.txt", data / "meta.mat"
    if not truth.exists() or not meta.exists():
        raise DataError(
            f"the classes of the images in {folder / 'val'} are not there; expected the "
            f"development kit in {folder / DEVKIT}, or a folder for each class in val"
        )
    try:
        rows = loadmat(meta, squeeze_me=True)["synsets"]
        synset_of = {
            int(row["ILSVRC2012_ID"]): str(row["WNID"])
            for row in rows
            if int(row["num_children"]) == 0
        }
        numbers = [int(line) for line in truth.read_text().split()]
    except Exception as error:  # scipy and zlib raise many kinds for files that were cut or changed
        raise DataError(f"{data} is damaged; expected meta.mat and ground truth") from error
    if len(numbers) != len(stems):
        raise DataError(
            f"{truth} has {len(numbers)} lines and {folder / 'val'} {len(stems)} images; expected "
            "as many"
        )
    unknown = [number for number in numbers if number not in synset_of]
    if unknown:
        raise DataError(f"{truth} has the class {unknown[0]}, which {meta} does not have")
    found = {stem: synset_of[number] for stem, number in zip(stems, numbers, strict=True)}
    return found, list(synset_of.values())


def _boxes_of(folder: Path, split: str) -> Path:
    """Return the folder of boxes in the original layout."""
    if split == "val":
        raise DataError(
            f"{folder}: boxes are read for the split 'train' of ImageNet's original layout; leave "
            "boxes out for 'val'"
        )
    for name in BOXES:
        for place in (folder / name / "train", folder / name):
            if place.is_dir() and any(map(is_synset, contents(place).names)):
                return place
    raise DataError(
        f"{folder} has no bounding boxes; expected n01440764/*.xml in {folder / BOXES[0]}, which "
        "ILSVRC2012_bbox_train_v2.tar.gz holds"
    )
