from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netstitch.errors import DataError
from netstitch.events import Advanced
from netstitch.tasks import Listing, Preprocessing, Samples, decode_images, image_folder

SMALL = Preprocessing(size=8, crop=1.0, mean=(0.0,) * 3, std=(1.0,) * 3)


def paint(path: Path, mode: str = "RGB", colour: object = (255, 0, 0)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (12, 10), colour).save(path)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """cat: 6 images, dog: 2, eel: 4."""
    for name, count in (("dog", 2), ("cat", 6), ("eel", 4)):
        for index in range(count):
            paint(tmp_path / "val" / name / f"{index}.png", colour=(index * 10, 0, 0))
    return tmp_path / "val"


def decoded(listing: Listing, tree: Path, **others) -> Samples:
    return decode_images(listing, SMALL, name="val", cache=tree.parent / "cache", **others)


def test_imagenet_preprocessing_by_default(tree):
    listing = image_folder(tree).kept(1, "evenly")
    found = decode_images(listing, Preprocessing(), name="val", cache=tree.parent / "cache")
    assert found.shape == (3, 224, 224)


@pytest.mark.parametrize("workers", [0, 2])
def test_labels_number_the_sorted_class_folders(tree, workers):
    samples = decoded(image_folder(tree), tree, workers=workers)
    assert samples.name == "val"
    assert samples.shape == (3, 8, 8)
    assert samples.labels.tolist() == [0] * 6 + [1] * 2 + [2] * 4
    reds = (samples.inputs[:, 0, 0, 0] * 255).round().int().tolist()
    assert reds == [0, 10, 20, 30, 40, 50, 0, 10, 0, 10, 20, 30]


def test_a_limit_is_even_over_the_classes(tree):
    assert Counter(image_folder(tree).kept(8, "evenly").labels) == {0: 3, 1: 2, 2: 3}


def test_a_limit_of_the_first(tree):
    assert image_folder(tree).kept(5, "first").labels == (0,) * 5


def test_stated_names_give_the_order_of_the_labels(tree):
    listing = image_folder(tree, class_order=["eel", "cat", "dog"])
    assert Counter(listing.labels) == {0: 4, 1: 6, 2: 2}


def test_grey_and_cmyk_images_become_colour(tmp_path):
    paint(tmp_path / "val" / "a" / "grey.png", "L", 255)
    paint(tmp_path / "val" / "b" / "print.jpg", "CMYK", (0, 0, 0, 0))
    inputs = decoded(image_folder(tmp_path / "val"), tmp_path / "val").inputs
    assert inputs.shape == (2, 3, 8, 8)
    assert inputs.min() > 0.97


def test_other_files_and_hidden_folders_are_passed_over(tree):
    (tree / "cat" / "notes.txt").write_text("no image")
    (tree / ".ipynb_checkpoints").mkdir()
    (tree / "__MACOSX").mkdir()
    assert len(image_folder(tree)) == 12


def test_endings_in_capitals_and_nested_images(tmp_path):
    paint(tmp_path / "a" / "1.PNG")
    paint(tmp_path / "b" / "deeper" / "2.JPEG")
    assert image_folder(tmp_path).labels == (0, 1)


def test_progress(tree):
    told = []
    decoded(image_folder(tree), tree, listener=told.append)
    assert told[-1] == Advanced(12, 12, "val")


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_truncated_image_is_named(tree, ending, workers):
    path = tree / "dog" / f"broken.{ending}"
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=rf"broken\.{ending} is no readable image") as raised:
        decoded(image_folder(tree), tree, workers=workers)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"not an image at all", b"\x89PNG\r\n\x1a\n"])
def test_what_only_looks_like_an_image_by_name(tree, content):
    (tree / "dog" / "fake.png").write_bytes(content)
    with pytest.raises(DataError, match=r"fake\.png is no readable image"):
        decoded(image_folder(tree), tree)


def refused(path: Path, **others) -> str:
    with pytest.raises(DataError) as raised:
        image_folder(path, **others)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_missing_folder(tmp_path):
    assert "none does not exist; expected one folder of images per class" in refused(
        tmp_path / "none"
    )


def test_a_file_in_place_of_a_folder(tree):
    assert "is a file" in refused(tree / "cat" / "0.png")


def test_images_without_class_folders(tree):
    assert "holds 6 images directly; expected one folder" in refused(tree / "cat")


def test_an_empty_folder(tmp_path):
    assert "holds no folders and no images; expected one" in refused(tmp_path)


def test_the_parent_of_the_splits(tree):
    paint(tree.parent / "train" / "cat" / "0.png")
    message = refused(tree.parent)
    assert "train, val, which look like splits" in message
    assert message.endswith(f"such as {tree}")


def test_a_folder_around_the_classes(tmp_path):
    for name in ("a", "b"):
        paint(tmp_path / "images" / name / "0.png")
    assert refused(tmp_path).endswith(f"give {tmp_path / 'images'}")


def test_a_class_without_images(tree):
    (tree / "fox").mkdir()
    assert "fox holds no images (1 of 4 such)" in refused(tree)


def test_other_classes_than_stated(tree):
    message = refused(tree, class_order=["cat", "dog", "fox"])
    assert "fox missing, eel surplus" in message
