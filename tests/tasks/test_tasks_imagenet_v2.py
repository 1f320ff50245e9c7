"""ImageNetV2: each image once, and classes by number, not by the order of text."""

from pathlib import Path

import pytest
from official_trees import original, picture, variants

from netstitch.errors import DataError
from netstitch.tasks import imagenet_v2


def test_an_image_that_is_in_several_variants_counts_once(tmp_path: Path) -> None:
    found = imagenet_v2(variants(tmp_path, classes=3))
    assert len(found) == 3 * (1 + 3)
    assert len({Path(file).name for file in found.files}) == len(found)
    assert list(found.labels) == sorted(found.labels) == [0] * 4 + [1] * 4 + [2] * 4
    alone = imagenet_v2(tmp_path / "imagenetv2-top-images-format-val")
    assert len(alone) == 6
    assert len(alone.classes) == 1000
    assert found.note == ""
    assert alone.note == (
        "1 of the 3 variants of ImageNetV2, without matched-frequency and threshold0.7"
    )


def test_class_10_is_not_between_1_and_2(tmp_path: Path) -> None:
    root = variants(tmp_path, classes=11)
    found = imagenet_v2(root)
    assert [Path(file).parent.name for file in found.files] == list(map(str, found.labels))
    assert found.kept(11, "evenly").labels == tuple(range(11))


def test_folders_that_are_laid_out_otherwise(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="looks like ImageNet in its original layout; expected"):
        imagenet_v2(original(tmp_path / "one"))
    root = variants(tmp_path / "two")
    picture(root / "imagenetv2-top-images-format-val" / "1000" / "a.jpeg", 1)
    with pytest.raises(DataError, match=r"1000 is no class; expected folders named 0 to 999"):
        imagenet_v2(root)
    with pytest.raises(DataError, match="does not exist"):
        imagenet_v2(tmp_path / "nowhere")


def test_digits_of_other_scripts_are_no_class(tmp_path: Path) -> None:
    root = variants(tmp_path)
    place = root / "imagenetv2-top-images-format-val" / "²"
    place.mkdir()
    with pytest.raises(DataError, match="² is no class; expected folders named 0 to 999"):
        imagenet_v2(root)
