"""Hidden files, links and kinds that are not read, in class folders and in folders of images."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from image_trees import class_folders, noise, paint

from netstitch.errors import DataError
from netstitch.tasks import Listing, Preprocessing, all_images, decode_images, image_folder

Read = Callable[[Path], Listing]
both = pytest.mark.parametrize("read", [image_folder, all_images])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "data", ["ant", "bee"], 3)


def names(listing: Listing, root: Path) -> list[str]:
    return [os.path.relpath(file, root) for file in listing.files]


def decode(listing: Listing, tree: Path) -> None:
    decode_images(listing, Preprocessing(size=4), name="x", cache=tree.parent / "cache")


@both
def test_hidden_files_and_folders_are_no_samples(tree: Path, read: Read) -> None:
    before = read(tree)
    paint(tree / "ant" / ".ipynb_checkpoints" / "0-checkpoint.png")
    paint(tree / "bee" / "__MACOSX" / "0.png")
    paint(tree / ".trash" / "0.png")
    (tree / "bee" / "._0.png").write_bytes(b"\0\5\x16\7")
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tree / "ant" / name).write_bytes(b"left behind")
    assert read(tree) == before
    assert before.left_out == ""


@both
def test_a_folder_may_lie_in_a_hidden_one(tmp_path: Path, read: Read) -> None:
    root = class_folders(tmp_path / ".fastai" / "data", ["ant", "bee"], 3)
    assert len(read(root)) == 6
    assert len(read(tmp_path / ".fastai" / "data")) == 6


@both
def test_files_that_are_not_read_are_counted_by_kind(tree: Path, read: Read) -> None:
    for name in ("1.heic", "2.heic", "notes.txt", "README"):
        (tree / "ant" / name).write_bytes(b"no image")
    paint(tree / "bee" / "moving.gif", save_all=True, append_images=[noise(1)])
    found = read(tree)
    assert len(found) == 6
    assert found.left_out.startswith("5 files are not read and left out: 2 .heic, ")
    for kind in ("1 .txt", "1 without an ending", "1 .gif of several pictures"):
        assert kind in found.left_out


def test_images_beside_the_class_folders_are_told(tree: Path) -> None:
    paint(tree / "loose.png")
    assert "1 file is not read" in (said := image_folder(tree).left_out)
    assert "1 .png beside the class folders" in said


@both
def test_folders_without_images_that_are_read(tmp_path: Path, read: Read) -> None:
    paint(tmp_path / "a" / "1.png")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.heic").write_bytes(b"no image")
    (tmp_path / "a" / "1.png").rename(tmp_path / "a" / "1.raw")
    with pytest.raises(DataError, match=r"holds no images.* not read and left out: 1 \.raw"):
        read(tmp_path)


@both
def test_farms_of_links_are_followed(tree: Path, tmp_path: Path, read: Read) -> None:
    farm = tmp_path / "farm"
    (farm / "bee").mkdir(parents=True)
    (farm / "ant").symlink_to(tree / "ant")
    for file in (tree / "bee").iterdir():
        (farm / "bee" / file.name).symlink_to(file)
    assert names(read(farm), farm) == names(read(tree), tree)


@both
@pytest.mark.parametrize("target", ["..", ".", "../..", "../../.."])
def test_a_link_into_a_folder_above_it_is_refused(tree: Path, read: Read, target: str) -> None:
    (tree / "ant" / "loop").symlink_to(target)
    with pytest.raises(DataError, match=r"loop leads to .*, a folder above it"):
        read(tree)


@both
def test_a_link_round_two_folders_is_refused(tree: Path, tmp_path: Path, read: Read) -> None:
    (tree / "ant" / "there").symlink_to(tmp_path / "other")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "back").symlink_to(tree / "ant")
    with pytest.raises(DataError, match=r"there/back leads to .*, a folder above it"):
        read(tree)


def test_a_class_that_is_a_link_to_all_of_them(tree: Path) -> None:
    (tree / "cat").symlink_to(tree)
    with pytest.raises(DataError, match=r"cat leads to .*, a folder above it"):
        image_folder(tree)


@both
def test_links_to_nothing_are_listed_and_found_out_when_they_are_read(
    tree: Path, read: Read
) -> None:
    (tree / "ant" / "gone.png").symlink_to(tree / "nowhere.png")
    (tree / "ant" / "self.png").symlink_to(tree / "ant" / "self.png")
    assert len(read(tree)) == 8
    with pytest.raises(DataError, match=r"2 of 8 .*gone\.png is not there"):
        decode(read(tree), tree)


@both
def test_a_pipe_is_not_waited_for(tree: Path, read: Read) -> None:
    os.mkfifo(tree / "ant" / "pipe.png")
    assert len(read(tree)) == 6


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["soft", "hard"])
def test_a_file_in_two_classes_is_refused(tree: Path, link: Callable[..., None]) -> None:
    link(tree / "ant" / "0.png", tree / "ant" / "again.png")
    assert len(image_folder(tree)) == 7  # twice in one class is no contradiction
    link(tree / "ant" / "0.png", tree / "bee" / "9.png")
    with pytest.raises(DataError, match=r"9\.png are the same file, under .* ant and bee"):
        image_folder(tree)


def test_a_class_folder_under_two_names_is_refused(tree: Path) -> None:
    (tree / "cat").symlink_to(tree / "ant")
    with pytest.raises(DataError, match=r"the classes ant and cat \(3 such\)"):
        image_folder(tree)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads everything")
@both
def test_a_folder_that_cannot_be_read(tree: Path, read: Read) -> None:
    (tree / "ant" / "locked").mkdir(mode=0)
    with pytest.raises(DataError, match="locked cannot be read: permission denied"):
        read(tree)


@both
def test_names_that_are_no_utf8(tree: Path, read: Read) -> None:
    strange = os.fsdecode(b"\xff\xfe.png")
    paint(tree / "ant" / "x.png", 7).rename(tree / "ant" / strange)
    (tree / "ant" / os.fsdecode(b"1.h\xff")).write_bytes(b"")
    found = read(tree)
    assert any(file.endswith(strange) for file in found.files)
    assert "1 .h\\xff" in found.left_out
    (tree / "ant" / strange).write_bytes(b"torn")
    with pytest.raises(DataError, match="is no readable image") as raised:
        decode(read(tree), tree)
    str(raised.value).encode()  # it can be printed
