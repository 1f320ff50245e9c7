"""PASCAL VOC's splits, and folders that are not its own."""

from pathlib import Path

import pytest
from official_trees import VOC_NAMES, original, pascal

from netstitch.errors import DataError
from netstitch.tasks import Preprocessing, decode_images, voc


def test_splits_are_read_from_their_lists(tmp_path: Path) -> None:
    root = pascal(tmp_path)
    found = voc(root, 2012, "val")
    assert [Path(file).stem for file in found.files] == [f"{name}v" for name in VOC_NAMES]
    assert [Path(file).name for file in found.masks] == [f"{name}v.png" for name in VOC_NAMES]
    assert len(found.classes) == 21
    places = (root / "VOCdevkit", root / "VOCdevkit" / "VOC2012")
    assert all(voc(place, 2012, "val") == found for place in places)
    assert len(voc(root, 2007, "test")) == 4


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    root = pascal(tmp_path / "voc")
    with pytest.raises(DataError, match=r"no split 'test' for segmentation; it has train, val"):
        voc(root, 2012, "test")
    with pytest.raises(DataError, match="PASCAL VOC 2011 has no label maps here"):
        voc(root, 2011, "val")
    with pytest.raises(DataError, match="looks like ImageNet in its original layout; expected"):
        voc(original(tmp_path / "one"), 2012, "val")


def test_a_file_that_is_missing_counts_as_a_damaged_one(tmp_path: Path) -> None:
    root = pascal(tmp_path / "voc")
    (root / "VOCdevkit/VOC2012/SegmentationClass" / f"{VOC_NAMES[0]}v.png").unlink()
    listing, small = voc(root, 2012, "val"), Preprocessing(size=16)
    with pytest.raises(DataError, match=r"1 of 4 .* a label map .*0032v.png that is not there"):
        decode_images(listing, small, name="validation", cache=tmp_path / "cache")
    kept = decode_images(listing, small, name="x", cache=tmp_path / "cache", corrupt=1)
    assert len(kept) == 3


def test_a_list_that_is_no_text(tmp_path: Path) -> None:
    root = pascal(tmp_path)
    path = root / "VOCdevkit" / "VOC2012" / "ImageSets" / "Segmentation" / "val.txt"
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match=r"val\.txt cannot be read"):
        voc(root, 2012, "val")


def test_the_folder_of_another_year(tmp_path: Path) -> None:
    root = pascal(tmp_path) / "VOCdevkit" / "VOC2012"
    assert len(voc(root, 2012, "val"))
    with pytest.raises(DataError, match=r"expected VOCdevkit/VOC2007 in it"):
        voc(root, 2007, "train")
