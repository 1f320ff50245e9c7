"""Images are decoded once, and damaged ones are named and counted."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import filelock
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from misplacement import OFFSETS, write_misplaced
from official_trees import VOC_NAMES, label_map, original, pascal, picture
from PIL import Image

from netstitch.errors import DataError, StorageError
from netstitch.events import Advanced, Event
from netstitch.files.alignment import ALIGNMENT, is_aligned
from netstitch.tasks import Listing, Preprocessing, decode_images, imagenet, voc
from netstitch.tasks.datasets import decoded_images as module
from netstitch.tasks.datasets.image_files import open_image

SMALL = Preprocessing(size=16)


def in_memory(listing: Listing) -> list[Any]:
    """Return decoded images; None for those that are damaged."""
    found: list[Any] = []
    for file in listing.files:
        try:
            found.append(SMALL(open_image(file)))
        except DataError:
            found.append(None)
    return found


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files that were opened."""
    found: list[str] = []
    original_open = module.open_image

    def open_image(file: Any) -> Image.Image:
        found.append(str(file))
        return original_open(file)

    monkeypatch.setattr(module, "open_image", open_image)
    return found


def test_what_is_kept_is_what_decoding_in_memory_gives(tmp_path: Path) -> None:
    listing = imagenet(original(tmp_path / "data"), "train")
    found = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache", workers=3)
    assert torch.equal(found.inputs, torch.stack(in_memory(listing)))
    assert found.labels.tolist() == list(listing.labels)


@pytest.mark.parametrize("offset", OFFSETS)
def test_batches_are_aligned_wherever_the_kept_arrays_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    write_misplaced(monkeypatch, offset)
    listing = imagenet(original(tmp_path / "data"), "train")
    for _ in ("made", "found there"):
        found = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache")
        assert found.inputs.data_ptr() % ALIGNMENT == offset
        assert all(map(is_aligned, found.batches(1)))
    assert torch.equal(found.inputs, torch.stack(in_memory(listing)))


def test_images_are_opened_once_and_again_where_they_change(
    tmp_path: Path, opened: list[str]
) -> None:
    listing = imagenet(original(tmp_path / "data"), "train")

    def decode(transform: Preprocessing = SMALL) -> torch.Tensor:
        opened.clear()
        return decode_images(listing, transform, name="x", cache=tmp_path / "cache").inputs

    first = decode().clone()
    assert sorted(opened) == sorted(listing.files)
    assert torch.equal(decode(), first)
    assert opened == []
    picture(Path(listing.files[2]), seed=999)
    os.utime(listing.files[2], ns=(1, 1))
    changed = decode()
    assert opened == [listing.files[2]]
    assert [torch.equal(a, b) for a, b in zip(changed, first, strict=True)] == [
        i != 2 for i in range(6)
    ]
    decode(Preprocessing(size=16, interpolation="bilinear"))  # of its own
    assert len(opened) == len(listing)


def test_work_that_was_stopped_goes_on(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = imagenet(original(tmp_path / "data"), "train")
    monkeypatch.setattr(module, "TOGETHER", 2)

    def interrupt(event: Event) -> None:
        if isinstance(event, Advanced) and event.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_images(listing, SMALL, name="x", cache=tmp_path, workers=1, listener=interrupt)
    opened.clear()
    told: list[Event] = []
    decode_images(listing, SMALL, name="x", cache=tmp_path, listener=told.append)
    assert sorted(opened) == sorted(listing.files[4:])
    assert told == [Advanced(5, 6, "x"), Advanced(6, 6, "x")]


def test_damaged_images_are_named_and_counted(tmp_path: Path) -> None:
    listing = imagenet(original(tmp_path / "data"), "train")
    whole = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache").inputs.clone()
    Path(listing.files[1]).write_bytes(b"no image")
    truncated = Path(listing.files[4])
    truncated.write_bytes(truncated.read_bytes()[:300])
    with pytest.raises(DataError) as found:
        decode_images(listing, SMALL, name="training", cache=tmp_path / "cache")
    assert str(found.value).startswith("training: 2 of 6 images cannot be used: ")
    assert listing.files[1] in str(found.value)
    assert "corrupt = 2" in str(found.value)
    with pytest.raises(DataError, match="and 1 may be"):
        decode_images(listing, SMALL, name="training", cache=tmp_path / "cache", corrupt=1)
    told: list[Event] = []
    samples = decode_images(
        listing, SMALL, name="x", cache=tmp_path / "cache", corrupt=2, listener=told.append
    )
    kept = [0, 2, 3, 5]
    assert torch.equal(samples.inputs, whole[kept])
    assert samples.labels.tolist() == [listing.labels[index] for index in kept]
    assert "2 of 6 images are left out" in str(told[-1])
    assert listing.files[4] in str(told[-1])


def test_grey_and_cmyk_images_are_converted(tmp_path: Path) -> None:
    files = [picture(tmp_path / f"{mode}.jpg", 1, mode=mode) for mode in ("RGB", "L", "CMYK")]
    listing = Listing(tuple(map(str, files)), (0, 1, 2))
    samples = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache")
    assert samples.inputs.shape == (3, 3, 16, 16)


def test_label_maps_are_cut_like_their_images(tmp_path: Path) -> None:
    listing = voc(pascal(tmp_path / "data"), 2012, "train")
    even = Preprocessing(size=30, crop=1.0, interpolation="bilinear")
    samples = decode_images(listing, even, name="x", cache=tmp_path / "cache")
    assert samples.labels.shape == (4, 30, 30)
    map_of = np.asarray(Image.open(listing.masks[1]))  # 40 x 30: only the sides are cut
    assert np.array_equal(samples.labels[1].numpy(), map_of[:, 5:35])
    assert set(samples.labels[3].unique().tolist()) == {0, 3, 255}


def test_label_maps_that_do_not_fit_are_named(tmp_path: Path) -> None:
    root = pascal(tmp_path / "data")
    maps = root / "VOCdevkit/VOC2012/SegmentationClass"
    listing = voc(root, 2012, "train")
    file = maps / f"{VOC_NAMES[0]}t.png"

    def message() -> str:
        with pytest.raises(DataError) as found:
            decode_images(listing, SMALL, name="x", cache=tmp_path / "cache")
        return str(found.value)

    label_map(file, 21, (30, 44))
    assert "with the class number 21; expected 0 to 20, or 255" in message()
    label_map(file, 1, (30, 45))
    assert "has 30 x 44 pixels and its label map" in message()
    picture(file, 1, (30, 44))
    assert "is a label map of mode RGB" in message()


def test_a_cache_that_cannot_be_written_and_files_that_are_gone(tmp_path: Path) -> None:
    listing = imagenet(original(tmp_path / "data"), "train")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        decode_images(listing, SMALL, name="x", cache=tmp_path / "file")
    Path(listing.files[0]).unlink()
    with pytest.raises(DataError, match=r"1 of 6 images cannot be used: .* is not there"):
        decode_images(listing, SMALL, name="x", cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()  # known before anything is decoded
    samples = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache", corrupt=1)
    assert len(samples) == 5


@pytest.mark.parametrize("name", ["inputs", "masks", "rows", "states"])
@pytest.mark.parametrize("kept", [None, 0.0, 0.5, 0.99])
def test_a_cache_that_was_damaged_is_made_anew(
    tmp_path: Path, name: str, kept: float | None
) -> None:
    """Lost, empty, or cut: what is gone is decoded again, never taken for black images."""
    listing = voc(pascal(tmp_path / "data"), 2012, "train")
    first = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache")
    expected = first.inputs.clone(), first.labels.clone()
    (path,) = (tmp_path / "cache").glob(f"*/*/{name}")
    if kept is None:
        path.unlink()
    else:
        os.truncate(path, int(path.stat().st_size * kept))
    again = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache")
    assert torch.equal(again.inputs, expected[0])
    assert torch.equal(again.labels, expected[1])


def test_what_is_written_into_samples_stays_with_them(tmp_path: Path) -> None:
    listing = imagenet(original(tmp_path / "data"), "train")
    first = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache")
    expected = first.inputs.clone()
    first.inputs.sub_(5.0)
    again = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache")
    assert torch.equal(again.inputs, expected)


def test_equal_names_in_two_folders_are_two_listings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for place, seed in (("one", 0), ("two", 50)):
        file = picture(tmp_path / place / "cat" / "1.bmp", seed)  # of one size, whatever it shows
        os.utime(file, ns=(10**18, 10**18))
        monkeypatch.chdir(tmp_path / place)
        listing = Listing(("cat/1.bmp",), (0,), classes=("cat",))
        found.append(decode_images(listing, SMALL, name="x", cache=tmp_path / "cache").inputs)
    assert not torch.equal(*found)


def test_a_repair_that_was_stopped_leaves_no_black_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = imagenet(original(tmp_path / "data"), "train")
    expected = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache").inputs.clone()
    (path,) = (tmp_path / "cache").glob("*/*/inputs")
    path.unlink()

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            decode_images(listing, SMALL, name="x", cache=tmp_path / "cache")
    again = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache")
    assert torch.equal(again.inputs, expected)


def test_floating_point_images_are_damaged(tmp_path: Path) -> None:
    file = tmp_path / "1.tif"
    Image.fromarray(np.full((20, 20), 0.8, np.float32)).save(file)
    with pytest.raises(DataError, match="holds floating-point numbers"):
        decode_images(Listing((str(file),), (0,)), SMALL, name="x", cache=tmp_path / "cache")


def test_an_empty_file_of_the_first_day_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "1.jpg"
    file.touch()
    os.utime(file, ns=(0, 0))
    with pytest.raises(DataError, match="1 of 1 images cannot be used"):
        decode_images(Listing((str(file),), (0,)), SMALL, name="x", cache=tmp_path / "cache")


def test_samples_in_use_stay_as_they_are_where_a_file_changes(tmp_path: Path) -> None:
    """As of a run that goes on while another one starts on the same images."""
    listing = imagenet(original(tmp_path / "data"), "train")
    used = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache")
    before = used.inputs.clone()
    picture(Path(listing.files[2]), seed=999)
    os.utime(listing.files[2], ns=(1, 1))
    anew = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache")
    assert torch.equal(used.inputs, before)
    assert not torch.equal(anew.inputs[2], before[2])
    assert len(list((tmp_path / "cache").glob("*/*/inputs"))) == 1  # nothing stays behind


def test_what_is_whole_is_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    listing = imagenet(original(tmp_path / "data"), "train")
    expected = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache").inputs
    (folder,) = (tmp_path / "cache").iterdir()
    lock = filelock.FileLock(folder / "lock")
    with lock:  # a lock that is held elsewhere is not waited for either
        again = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert torch.equal(again.inputs, expected)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_an_image_that_could_not_be_read_once_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails for a moment leaves no hole, and nobody has to touch the file."""
    listing = imagenet(original(tmp_path / "data"), "train")
    expected = decode_images(listing, SMALL, name="x", cache=tmp_path / "whole").inputs

    def failing(file: Any) -> Image.Image:
        if str(file) == listing.files[3]:
            raise DataError("is no readable image (input/output error)")
        return open_image(file)

    with monkeypatch.context() as patched:
        patched.setattr(module, "open_image", failing)
        with pytest.raises(DataError, match="1 of 6"):
            decode_images(listing, SMALL, name="x", cache=tmp_path / "cache")
        part = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache", corrupt=1)
        before = part.inputs.clone()
    whole = decode_images(listing, SMALL, name="x", cache=tmp_path / "cache", corrupt=1)
    assert torch.equal(whole.inputs, expected)
    assert torch.equal(part.inputs, before)


def test_room_on_the_disk_is_told_and_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = imagenet(original(tmp_path / "data"), "train")
    told: list[Event] = []
    monkeypatch.setattr(module, "TOLD_FROM", 1)
    decode_images(listing, SMALL, name="x", cache=tmp_path / "cache", listener=told.append)
    assert str(told[0]).startswith("x: 6 images are decoded, once, to 0.0 GB in ")
    told.clear()
    decode_images(listing, SMALL, name="x", cache=tmp_path / "cache", listener=told.append)
    assert told == []
    full = shutil.disk_usage(tmp_path)._replace(free=1_000)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: full)
    with pytest.raises(StorageError, match=r"take 0.0 GB and .* has 0.0 GB free; make room"):
        decode_images(listing, SMALL, name="x", cache=tmp_path / "full")


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_the_cache_is_as_decoding_in_memory_whatever_happens_to_files(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Files change, break, vanish and come back, and work is interrupted, in any order."""
    place = tmp_path_factory.mktemp("kept")
    files = [picture(place / f"{index}.png", index, size=(20, 20)) for index in range(5)]
    listing = Listing(tuple(map(str, files)), tuple(range(5)))
    clock = 10**18
    for _ in range(data.draw(st.integers(1, 4))):
        for file in data.draw(st.lists(st.sampled_from(files), max_size=3)):
            clock += 10**9
            match data.draw(st.sampled_from(["change", "break", "remove"])):
                case "change":
                    picture(file, clock, size=(20, 20))
                case "break":
                    file.write_bytes(b"no image")
                case _:
                    file.unlink(missing_ok=True)
            if file.exists():
                os.utime(file, ns=(clock, clock))
        stop = data.draw(st.none() | st.integers(1, 5))
        if stop is not None:
            _decode_until(listing, place / "cache", stop)
        expected = in_memory(listing)
        good = [index for index, value in enumerate(expected) if value is not None]
        if good:
            found = decode_images(listing, SMALL, name="x", cache=place / "cache", corrupt=5)
            assert found.labels.tolist() == good
            assert torch.equal(found.inputs, torch.stack([expected[i] for i in good]))


def _decode_until(listing: Listing, cache: Path, stop: int) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Advanced) and event.done >= stop:
            raise KeyboardInterrupt

    with (
        mock.patch.object(module, "TOGETHER", 2),
        contextlib.suppress(KeyboardInterrupt, DataError),
    ):
        decode_images(listing, SMALL, name="x", cache=cache, corrupt=5, listener=interrupt)
