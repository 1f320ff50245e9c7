"""Tiny data sets of generated images, in the layouts that the real ones are distributed in."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

SYNSETS = ("n01440764", "n01443537", "n01484850")
VOC_NAMES = tuple(f"2007_{number:06}" for number in (32, 39, 63, 68))


def picture(path: Path, seed: int, size: tuple[int, int] = (40, 30), mode: str = "RGB") -> Path:
    """A picture whose brightness follows its class, written by the ending of its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    shape = {"RGB": (size[1], size[0], 3), "L": (size[1], size[0]), "CMYK": (size[1], size[0], 4)}
    values = random.integers(0, 255, shape[mode]).astype(np.uint8)
    Image.fromarray(values, mode).save(path)
    return path


def original(root: Path, *, flat: bool = False, each: int = 2, boxed: int = 1) -> Path:
    """ImageNet's original layout, with boxes of the first training images of each class.

    flat: validation images in one folder, with the development kit.
    """
    for label, synset in enumerate(SYNSETS):
        for index in range(each):
            picture(root / "train" / synset / f"{synset}_{index}.JPEG", label * 100 + index)
        for index in range(boxed):
            box(root / "ILSVRC2012_bbox_train_v2" / synset / f"{synset}_{index}.xml", synset)
    truth = []
    for index in range(len(SYNSETS) * each):
        label = (index + 1) % len(SYNSETS)
        name = f"ILSVRC2012_val_{index + 1:08}.JPEG"
        folder = root / "val" if flat else root / "val" / SYNSETS[label]
        picture(folder / name, 1000 + index)
        truth.append(len(SYNSETS) - label)  # numbers of the kit are in another order
    if flat:
        devkit(root, truth)
    return root


def devkit(root: Path, truth: Sequence[int]) -> None:
    """The development kit: leaves are numbered backwards, and a class of classes follows."""
    data = root / "ILSVRC2012_devkit_t12" / "data"
    data.mkdir(parents=True)
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text("".join(f"{n}\n" for n in truth))
    kinds = [("ILSVRC2012_ID", "f8"), ("WNID", "O"), ("words", "O"), ("num_children", "f8")]
    rows = [(n, SYNSETS[len(SYNSETS) - n], "fish", 0) for n in range(1, len(SYNSETS) + 1)]
    rows.append((len(SYNSETS) + 1, "n00001740", "entity", len(SYNSETS)))
    savemat(data / "meta.mat", {"synsets": np.array(rows, dtype=kinds)[:, None]})


def box(path: Path, synset: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<annotation>\n<filename>{path.stem}</filename>\n<object>\n<name>{synset}</name>\n"
        "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>20</xmax><ymax>21</ymax></bndbox>\n"
        "</object>\n</annotation>\n"
    )


def cls_loc(root: Path, *, solutions: bool = True, each: int = 2, boxed: int = 1) -> Path:
    """The CLS-LOC layout, as Kaggle distributes it; else with annotations of validation images."""
    images = root / "ILSVRC" / "Data" / "CLS-LOC"
    notes = root / "ILSVRC" / "Annotations" / "CLS-LOC"
    for label, synset in enumerate(SYNSETS):
        for index in range(each):
            picture(images / "train" / synset / f"{synset}_{index}.JPEG", label * 100 + index)
        for index in range(boxed):
            box(notes / "train" / synset / f"{synset}_{index}.xml", synset)
    rows = ["ImageId,PredictionString"]
    for index in range(len(SYNSETS) * each):
        synset = SYNSETS[(index + 1) % len(SYNSETS)]
        name = f"ILSVRC2012_val_{index + 1:08}"
        picture(images / "val" / f"{name}.JPEG", 1000 + index)
        rows.append(f"{name},{synset} 1 2 20 21 ")
        if not solutions:
            box(notes / "val" / f"{name}.xml", synset)
    if solutions:
        (root / "LOC_val_solution.csv").write_text("\n".join(rows) + "\n")
        mapping = "".join(f"{synset} a fish, of a kind\n" for synset in SYNSETS)
        (root / "LOC_synset_mapping.txt").write_text(mapping)
    return root


def variants(root: Path, classes: int = 3) -> Path:
    """ImageNetV2: one image of each class is in all variants, and one in its own only."""
    names = ("matched-frequency", "threshold0.7", "top-images")
    for number, name in enumerate(names):
        folder = root / f"imagenetv2-{name}-format-val"
        for label in range(classes):
            picture(folder / str(label) / f"{label:02}common.jpeg", label)
            picture(folder / str(label) / f"{label:02}own{number}.jpeg", 100 + 10 * number + label)
    return root


def pascal(root: Path, *, more: int = 0) -> Path:
    """PASCAL VOC: 2012 with train and val, 2007 with test; label maps with a border of 255.

    more: images of each split beside VOC_NAMES.
    """
    each = (*VOC_NAMES, *(f"2008_{number:06}" for number in range(more)))
    for year, splits in ((2012, ("train", "val")), (2007, ("test",))):
        place = root / "VOCdevkit" / f"VOC{year}"
        lists = place / "ImageSets" / "Segmentation"
        lists.mkdir(parents=True)
        for number, split in enumerate(splits):
            names = [f"{name}{split[0]}" for name in each]
            (lists / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
            for index, name in enumerate(names):
                size = (40, 30) if index % 2 else (30, 44)
                picture(place / "JPEGImages" / f"{name}.jpg", number * 10 + index, size)
                label_map(place / "SegmentationClass" / f"{name}.png", index % 21, size)
    return root


def label_map(path: Path, label: int, size: tuple[int, int]) -> None:
    """Background with a rectangle of a class, and a border that does not count."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.zeros((size[1], size[0]), np.uint8)
    values[5:20, 5:25] = label
    values[:2] = 255
    shown = Image.fromarray(values, "P")
    shown.putpalette([(37 * value) % 256 for value in range(768)])
    shown.save(path)
