"""ImageNet's layouts give the same images and classes, and other folders say what they are."""

import shutil
from pathlib import Path

import pytest
from official_trees import SYNSETS, box, cls_loc, original, pascal, picture, variants

from netstitch.errors import DataError
from netstitch.tasks import Listing, imagenet


def seen(listing: Listing) -> list[tuple[str, int]]:
    each = zip(listing.files, listing.labels, strict=True)
    return [(Path(file).name, label) for file, label in each]


@pytest.mark.parametrize("flat", [False, True], ids=["a folder a class", "development kit"])
def test_the_layouts_say_the_same(tmp_path: Path, flat: bool) -> None:
    one, other = original(tmp_path / "one", flat=flat), cls_loc(tmp_path / "other")
    annotated = cls_loc(tmp_path / "annotated", solutions=False)
    expected = [(f"{s}_{i}.JPEG", label) for label, s in enumerate(SYNSETS) for i in (0, 1)]
    for root in (one, other, other / "ILSVRC", annotated):
        assert seen(imagenet(root, "train")) == expected
    boxed = [row for row in expected if row[0].endswith("_0.JPEG")]
    for root in (one, other):
        assert seen(imagenet(root, "train", boxes=True)) == boxed
    validation = [(f"ILSVRC2012_val_{i + 1:08}.JPEG", (i + 1) % 3) for i in range(6)]
    for root in (one, other, annotated):
        found = imagenet(root, "val")
        assert sorted(seen(found)) == validation
        assert found.classes == SYNSETS


def test_other_folders_say_what_they_look_like(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "ILSVRC2012_img_train.tar").touch()
    folders = tmp_path / "folders"
    picture(folders / "cat" / "1.png", 1)
    looks = {
        original(tmp_path / "one") / "train": "one split of ImageNet",
        variants(tmp_path / "v2"): "ImageNetV2",
        pascal(tmp_path / "voc"): "PASCAL VOC",
        folders: "one folder of images per class",
        tmp_path / "archives": "archives that are not unpacked, such as ILSVRC2012_img_train.tar",
        tmp_path / "nowhere": "does not exist",
    }
    for folder, words in looks.items():
        with pytest.raises(DataError, match=words) as found:
            imagenet(folder, "val")
        assert "expected ImageNet's original layout" in str(found.value)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    root = original(tmp_path / "one", flat=True)
    kit = root / "ILSVRC2012_devkit_t12" / "data"
    truth = kit / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("1\n2\n")
    with pytest.raises(DataError, match=r"has 2 lines and .* 6 images"):
        imagenet(root, "val")
    truth.write_text("1\n2\n3\n1\n2\n9\n")
    with pytest.raises(DataError, match=r"has the class 9, which .*meta.mat does not have"):
        imagenet(root, "val")
    (kit / "meta.mat").write_text("nonsense")
    with pytest.raises(DataError, match="damaged"):
        imagenet(root, "val")
    shutil.rmtree(kit)
    with pytest.raises(DataError, match="expected the development kit in"):
        imagenet(root, "val")
    shutil.rmtree(root / "ILSVRC2012_bbox_train_v2")
    with pytest.raises(DataError, match="has no bounding boxes"):
        imagenet(root, "train", boxes=True)
    shutil.rmtree(root / "val")
    with pytest.raises(DataError, match="has no split 'val'"):
        imagenet(root, "val")
    with pytest.raises(DataError, match="no split 'test'"):
        imagenet(root, "test")  # type: ignore[arg-type]
    (root / "train" / "cats").mkdir()
    with pytest.raises(DataError, match="holds the folder cats"):
        imagenet(root, "train")


def test_a_folder_around_the_data_set_is_seen_through(tmp_path: Path) -> None:
    original(tmp_path / "outer" / "inner")
    (tmp_path / "outer" / "lost+found").mkdir()
    with pytest.raises(DataError, match="outer holds inner, which looks like ImageNet in its or"):
        imagenet(tmp_path / "outer", "val")


def test_classes_that_are_not_known_are_named(tmp_path: Path) -> None:
    root = cls_loc(tmp_path)
    solution = root / "LOC_val_solution.csv"
    solution.write_text(solution.read_text().replace(SYNSETS[1], "n09999999"))
    with pytest.raises(DataError, match=r"n09999999, which is not known in LOC_val_solution\.csv"):
        imagenet(root, "val")
    solution.write_text("ImageId,Other\na,b\n")
    with pytest.raises(DataError, match="expected the columns ImageId and PredictionString"):
        imagenet(root, "val")
    solution.unlink()
    with pytest.raises(DataError, match=r"the classes of the images in .* are not there"):
        imagenet(root, "val")
    box(root / "ILSVRC/Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml", "fish")
    with pytest.raises(DataError, match="names no class"):
        imagenet(root, "val")


def test_validation_images_of_some_classes_have_the_numbers_of_training(tmp_path: Path) -> None:
    root = original(tmp_path)
    shutil.rmtree(root / "val" / SYNSETS[0])
    found = imagenet(root, "val")
    assert found.classes == SYNSETS
    assert set(found.labels) == {1, 2}


def test_a_class_that_training_has_not(tmp_path: Path) -> None:
    root = original(tmp_path)
    (root / "val" / SYNSETS[2]).rename(root / "val" / "n09999999")
    with pytest.raises(DataError, match="val holds the class n09999999, which the training images"):
        imagenet(root, "val")


def test_copies_of_attributes_are_no_images(tmp_path: Path) -> None:
    root = original(tmp_path)
    expected = imagenet(root, "val")
    (root / "val" / SYNSETS[0] / "._x.JPEG").write_bytes(b"attributes")
    assert imagenet(root, "val") == expected


@pytest.mark.parametrize("damage", ["cut", "changed", "none"])
def test_a_damaged_development_kit(tmp_path: Path, damage: str) -> None:
    from scipy.io import loadmat, savemat

    root = original(tmp_path, flat=True)
    path = root / "ILSVRC2012_devkit_t12" / "data" / "meta.mat"
    savemat(path, {"synsets": loadmat(path)["synsets"]}, do_compression=True)
    raw = bytearray(path.read_bytes())
    raw[200:210] = b"\xff" * 10
    path.write_bytes({"cut": raw[: len(raw) // 2], "changed": raw, "none": b"text"}[damage])
    with pytest.raises(DataError, match=r"is damaged; expected meta\.mat and ground truth"):
        imagenet(root, "val")


def test_lists_that_are_cut_or_no_text(tmp_path: Path) -> None:
    root = cls_loc(tmp_path / "a")
    solutions = root / "LOC_val_solution.csv"
    text = solutions.read_text()
    solutions.write_text(text[: text.rindex(",")])
    with pytest.raises(DataError, match=r"LOC_val_solution\.csv is damaged"):
        imagenet(root, "val")
    solutions.write_bytes(text.encode() + b"\xff\xfe")
    with pytest.raises(DataError, match=r"LOC_val_solution\.csv cannot be read"):
        imagenet(root, "val")
    solutions.write_text(text)
    (root / "LOC_synset_mapping.txt").write_bytes(b"n01440764 caf\xe9\n")
    with pytest.raises(DataError, match=r"LOC_synset_mapping\.txt cannot be read"):
        imagenet(root, "val")
    other = cls_loc(tmp_path / "b", solutions=False)
    note = next((other / "ILSVRC" / "Annotations" / "CLS-LOC" / "val").glob("*.xml"))
    note.write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=rf"{note.name} cannot be read"):
        imagenet(other, "val")


def test_boxes_that_are_not_there_for_any_validation_image(tmp_path: Path) -> None:
    root = cls_loc(tmp_path)
    with pytest.raises(DataError, match="no image has boxes in"):
        imagenet(root, "val", boxes=True)


def test_a_half_sorted_folder(tmp_path: Path) -> None:
    root = original(tmp_path)
    picture(root / "val" / "ILSVRC2012_val_00000009.JPEG", 9)
    with pytest.raises(DataError, match="holds class folders, and 1 images beside them"):
        imagenet(root, "val")


def test_boxes_of_validation_images_are_not_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="leave boxes out for 'val'"):
        imagenet(original(tmp_path), "val", boxes=True)


def test_a_class_folder_without_images(tmp_path: Path) -> None:
    root = original(tmp_path)
    place = root / "train" / SYNSETS[1]
    shutil.rmtree(place)
    place.mkdir()
    with pytest.raises(DataError, match=f"{SYNSETS[1]} holds no images; expected"):
        imagenet(root, "train")


def test_the_cls_loc_layout_with_sorted_validation_images(tmp_path: Path) -> None:
    root = cls_loc(tmp_path)
    place = root / "ILSVRC" / "Data" / "CLS-LOC" / "val"
    before = imagenet(root, "val")
    for file, label in zip(before.files, before.labels, strict=True):
        (place / SYNSETS[label]).mkdir(exist_ok=True)
        Path(file).rename(place / SYNSETS[label] / Path(file).name)
    after = imagenet(root, "val")
    assert sorted(seen(after)) == sorted(seen(before))
    assert after.classes == before.classes


def test_files_that_are_not_read_are_counted(tmp_path: Path) -> None:
    root = original(tmp_path)
    assert imagenet(root, "train").left_out == ""
    (root / "train" / SYNSETS[0] / "notes.txt").write_text("no image")
    (root / "train" / SYNSETS[1] / ".DS_Store").write_text("hidden")
    assert imagenet(root, "train").left_out.startswith("1 file is not read and left out: 1 .txt")


def test_a_file_in_two_classes_is_refused(tmp_path: Path) -> None:
    train = original(tmp_path) / "train"
    (train / SYNSETS[1] / "again.JPEG").symlink_to(train / SYNSETS[0] / f"{SYNSETS[0]}_0.JPEG")
    with pytest.raises(DataError, match=f"the classes {SYNSETS[0]} and {SYNSETS[1]}"):
        imagenet(tmp_path, "train")
