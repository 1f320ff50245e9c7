"""Images of a folder, however they lie in it."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from netstitch.errors import DataError
from netstitch.tasks import Preprocessing, Samples, all_images, decode_images, unlabelled

SMALL = Preprocessing(size=4, crop=1.0, mean=(0.0,) * 3, std=(1.0,) * 3)


def paint(path: Path, red: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 5), (red, 0, 0)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index, name in enumerate(["b.png", "a/2.jpg", "a/1.png", "c/d/3.bmp", ".hidden/4.png"]):
        paint(tmp_path / "photos" / name, 50 * index)
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    return tmp_path / "photos"


def reds(inputs: torch.Tensor) -> list[int]:
    return [int(round(float(one) / 50) * 50) for one in inputs[:, 0, 0, 0] * 255]


def read(folder: Path, limit: int | None = None, workers: int = 0) -> Samples:
    listing, cache = all_images(folder, limit=limit), folder.parent / "cache"
    return decode_images(listing, SMALL, name="photos", cache=cache, workers=workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_all_images_are_read_in_order_of_their_paths(folder: Path, workers: int) -> None:
    samples = read(folder, workers=workers)
    assert samples.name == "photos"
    assert samples.shape == (3, 4, 4)
    assert reds(samples.inputs) == [100, 50, 0, 150]
    assert samples.labels.tolist() == [0] * 4


def test_a_limit_is_spread_over_the_order(folder: Path) -> None:
    assert reds(read(folder, limit=2).inputs) == [100, 0]
    assert len(all_images(folder, limit=9)) == 4


def test_what_is_no_folder_of_images(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"notes\.txt is no folder"):
        all_images(folder / "notes.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no images; expected files ending in \.jpg"):
        all_images(tmp_path / "empty")
    with pytest.raises(DataError, match="a limit of 0"):
        all_images(folder, limit=0)
    (folder / "a" / "1.png").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"1\.png is no readable image"):
        read(folder)


def test_inputs_alone_are_samples() -> None:
    samples = unlabelled(torch.rand(3, 2), "some")
    assert (len(samples), samples.name) == (3, "some")
