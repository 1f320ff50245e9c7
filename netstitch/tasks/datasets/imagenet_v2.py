"""ImageNetV2: three variants of 10,000 images each, of which many are in several.

Each is a folder imagenetv2-VARIANT-format-val (the first one is imagenetv2-matched-frequency-
format-val) with a folder for each class, named by its number; images are named by their origin, so
that equal names are equal images.

Recht et al. (2019), Do ImageNet Classifiers Generalize to ImageNet?
"""

from pathlib import Path

from netstitch.errors import DataError
from netstitch.tasks.datasets.folder_layouts import contents, described, is_number, subfolders
from netstitch.tasks.datasets.folder_walk import describe_left_out, kinds_in
from netstitch.tasks.datasets.given import path_of
from netstitch.tasks.datasets.image_files import is_image
from netstitch.tasks.datasets.listing import Listing

CLASSES = 1_000
VARIANTS = ("matched-frequency", "threshold0.7", "top-images")
EXPECTED = (
    "expected imagenetv2-matched-frequency-format-val and its like, or one of them, with class "
    "folders 0 to 999"
)


def imagenet_v2(folder: Path | str) -> Listing:
    """Return the images of all variants there are, each once, by class and then by name.

    folder: of the variants, or of one.

    An image that is in several variants counts where it is found first, by the variants' names.

    Raises DataError where it is laid out otherwise, or a class has no number.
    """
    folder = path_of(folder, "a folder of ImageNetV2")
    variants = [folder] if folder.is_dir() and _is_variant(folder) else _variants(folder)
    if not variants:
        raise DataError(f"{described(folder)}; {EXPECTED}")
    place_of: dict[str, tuple[int, str]] = {}
    places = [place for variant in variants for place in subfolders(variant)]
    for place in places:
        label = _number(place)
        for file in filter(is_image, contents(place)):
            place_of.setdefault(file.name, (label, str(file)))
    if not place_of:
        raise DataError(f"{described(folder)}, and no image is in it; {EXPECTED}")
    found_images = sorted((label, name, file) for name, (label, file) in place_of.items())
    return Listing(
        tuple(file for _, _, file in found_images),
        tuple(label for label, _, _ in found_images),
        classes=tuple(map(str, range(max(CLASSES, found_images[-1][0] + 1)))),
        note=_note(variants),
        left_out=describe_left_out(kinds_in(places)),
    )


def _note(variants: list[Path]) -> str:
    """That variants are missing, and which: the paper tests on all of them (section 6)."""
    names = [variant.name for variant in variants]
    missing = [one for one in VARIANTS if not any(one in name for name in names)]
    if not missing:
        return ""
    return (
        f"{len(variants)} of the {len(VARIANTS)} variants of ImageNetV2, without "
        f"{' and '.join(missing)}"
    )


def _variants(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [one for one in subfolders(folder) if one.name.startswith("imagenetv2")]


def _is_variant(folder: Path) -> bool:
    names = [one.name for one in subfolders(folder)]
    return bool(names) and sum(map(is_number, names)) > len(names) / 2


def _number(place: Path) -> int:
    if not is_number(place.name) or int(place.name) >= CLASSES:
        raise DataError(f"{place} is no class; expected folders named 0 to {CLASSES - 1}")
    return int(place.name)
