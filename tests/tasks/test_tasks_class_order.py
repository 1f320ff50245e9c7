"""Class folders are numbered as text or by the numbers in their names, where both are not alike."""

from pathlib import Path
from typing import Any

import pytest
from image_trees import class_folders
from timm.data.readers import reader_image_folder
from torchvision.datasets import ImageFolder

from netstitch.errors import DataError
from netstitch.tasks import image_folder

TWELVE = [str(number) for number in range(12)]
NAMES = (TWELVE, ["class1", "class10", "class2"], ["Bee", "ant", "cat"], ["1", "02", "10"])


@pytest.mark.parametrize("names", NAMES)
def test_orders_are_those_of_torchvision_and_timm(tmp_path: Path, names: list[str]) -> None:
    class_folders(tmp_path, names, 1)
    assert list(image_folder(tmp_path, class_order="text").classes) == ImageFolder(tmp_path).classes
    _, numbers = reader_image_folder.find_images_and_targets(str(tmp_path))
    ordered = sorted(numbers, key=numbers.__getitem__)
    assert list(image_folder(tmp_path, class_order="number").classes) == ordered


@pytest.mark.parametrize("names", NAMES)
def test_where_they_differ_the_user_says_which(tmp_path: Path, names: list[str]) -> None:
    class_folders(tmp_path, names, 1)
    with pytest.raises(DataError, match="the order of the class folders is not clear") as raised:
        image_folder(tmp_path)
    assert "class_order = 'text', 'number' or a list" in str(raised.value)


@pytest.mark.parametrize("names", [["n01", "n1"], ["Cat", "cat"]])
def test_names_that_timm_orders_by_chance(tmp_path: Path, names: list[str]) -> None:
    class_folders(tmp_path, names, 1)
    for order in ("either", "number"):
        with pytest.raises(DataError, match="timm orders them by chance"):
            image_folder(tmp_path, class_order=order)
    assert image_folder(tmp_path, class_order="text").classes == tuple(names)


@pytest.mark.parametrize("names", [["ant", "bee"], TWELVE[:10], ["n01440764", "n01443537"]])
def test_where_they_do_not_nothing_is_asked(tmp_path: Path, names: list[str]) -> None:
    assert list(image_folder(class_folders(tmp_path, names, 1)).classes) == names


def test_labels_follow_a_list_of_names(tmp_path: Path) -> None:
    class_folders(tmp_path, TWELVE[:3], 1)
    found = image_folder(tmp_path, class_order=["2", "0", "1"])
    assert [Path(file).parent.name for file in found.files] == ["2", "0", "1"]
    assert found.labels == (0, 1, 2)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (["0", "1"], "none missing, 2 surplus"),
        (["0", "1", "2", "3"], "3 missing, none surplus"),
        (["0", "1", "3"], "3 missing, 2 surplus"),
        (["0", "1", "1"], "'1' is stated twice"),
        (["0", 1, 2], "give the folders' names"),
        ("numbers", "'numbers' is not known; give 'text', 'number' or a list"),
        (3, "3 is not known; give 'text'"),
    ],
)
def test_orders_that_are_none(tmp_path: Path, order: Any, message: str) -> None:
    class_folders(tmp_path, TWELVE[:3], 1)
    with pytest.raises(DataError, match=message):
        image_folder(tmp_path, class_order=order)
