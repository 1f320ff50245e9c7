"""ImageNetV2: three variants of 10,000 images each, of which many are in several.

Each is a folder imagenetv2-VARIANT-format-val (the first one is imagenetv2-matched-frequency-
format-val) with a folder for each class, named by its number; images are named by their origin, so
that equal names are equal images.

Recht et al. (2019), Do ImageNet Classifiers Generalize to ImageNet?
"""

import os
from collections import Counter
from pathlib import Path

from netstitch.errors import DataError
from netstitch.tasks.datasets.folder_layouts import describe_folder, is_number
from netstitch.tasks.datasets.folder_walk import Kinds, contents
from netstitch.tasks.datasets.given import path_of
from netstitch.tasks.datasets.listing import Listing, labelled_images

CLASSES = 1_000
VARIANTS = ("matched-frequency", "threshold0.7", "top-images")
EXPECTED = (
    "expected imagenetv2-matched-frequency-format-val and its like, or one of them, with class "
    "folders 0 to 999"
)


def imagenet_v2(folder: Path | str) -> Listing:
    """Return the images of all variants there are, each once, by class and then by name.

    An image that is in several variants counts where it is found first, by the variants' names.

    Args:
        folder: Of the variants, or of one.

    Raises:
        DataError: Where it is laid out otherwise, or a class has no number.
    """
    folder = path_of(folder, "a folder of ImageNetV2")
    variants = _variants(folder) if folder.is_dir() else []
    if not variants:
        raise DataError(f"{describe_folder(folder)}; {EXPECTED}")
    found: dict[str, tuple[int, str, str]] = {}
    left_out: Kinds = Counter()
    for place in (place for variant in variants for place in contents(variant).folders):
        if not is_number(place.name) or int(place.name) >= CLASSES:
            raise DataError(f"{place} is no class; expected folders named 0 to {CLASSES - 1}")
        inside = contents(place)
        left_out += inside.kinds
        for file in inside.images:
            name = os.path.basename(file)
            found.setdefault(name, (int(place.name), name, file))
    if not found:
        raise DataError(f"{describe_folder(folder)}, and no image is in it; {EXPECTED}")
    images = [(file, label) for label, _, file in sorted(found.values())]
    return labelled_images(images, tuple(map(str, range(CLASSES))), left_out, _note(variants))


def _variants(folder: Path) -> list[Path]:
    """Return the variants in a folder, or the folder where it is one itself."""
    found = contents(folder)
    if 2 * sum(map(is_number, found.names)) > len(found.names):
        return [folder]
    return [one for one in found.folders if one.name.startswith("imagenetv2")]


def _note(variants: list[Path]) -> str:
    """Return words on missing variants, as the paper tests on all of them (section 6)."""
    missing = [one for one in VARIANTS if not any(one in variant.name for variant in variants)]
    if not missing:
        return ""
    return (
        f"{len(variants)} of the {len(VARIANTS)} variants of ImageNetV2, without "
        f"{' and '.join(missing)}"
    )
