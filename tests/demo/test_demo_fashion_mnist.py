"""IDX files, and how the images are split."""

import gzip
import lzma
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.demo.fashion_mnist import (
    HELD_OUT,
    STITCHING,
    TRAINING,
    deal,
    for_stitches,
    read_idx,
    shares,
    split,
    stratified,
    to_images,
    write_idx,
)


def idx(array: np.ndarray) -> bytes:
    return (
        b"\0\0\x08"
        + bytes([array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


@pytest.mark.parametrize("ending", ["", ".gz", ".xz"])
def test_plain_and_packed_files_read_alike(tmp_path: Path, ending: str) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    pack = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}[ending]
    path = tmp_path / f"images{ending}"
    path.write_bytes(pack(idx(array)))
    assert np.array_equal(read_idx(path), array)


def test_what_is_written_reads_back_and_is_the_same_each_time(tmp_path: Path) -> None:
    array = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    for name in ("a.xz", "b.xz"):
        write_idx(tmp_path / name, array[:, ::-1])
    assert np.array_equal(read_idx(tmp_path / "a.xz"), array[:, ::-1])
    assert (tmp_path / "a.xz").read_bytes() == (tmp_path / "b.xz").read_bytes()


@pytest.mark.parametrize(
    "raw, message",
    [
        (b"", "no IDX|not an IDX"),
        (b"\0\0\x0d\x01\0\0\0\x01....", "not an IDX"),
        (idx(np.zeros(5, np.uint8))[:-1], "holds 4 bytes"),
        (idx(np.zeros(5, np.uint8)) + b"x", "holds 6 bytes"),
    ],
)
def test_damaged_files_are_errors(tmp_path: Path, raw: bytes, message: str) -> None:
    (tmp_path / "f").write_bytes(raw)
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / "f")


def test_pixels_become_numbers_between_0_and_1() -> None:
    images = to_images(np.array([[[0, 51], [255, 102]]], dtype=np.uint8))
    assert images.shape == (1, 1, 2, 2)
    assert images.dtype == np.float32
    assert images.ravel().tolist() == pytest.approx([0, 0.2, 1, 0.4])


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=200),
    st.integers(0, 2**16),
    st.floats(0, 1),
)
@settings(deadline=None)
def test_every_class_is_drawn_in_its_share(labels: list[int], seed: int, share: float) -> None:
    classes = np.array(labels)
    size = int(share * len(classes))
    chosen = stratified(classes, size, seed)
    assert len(chosen) == len(set(chosen.tolist())) == size
    assert (np.diff(chosen) > 0).all()
    for label in set(labels):
        expected = size * (classes == label).mean()
        assert abs((classes[chosen] == label).sum() - expected) <= 1


def test_the_split_is_disjoint_complete_and_always_the_same() -> None:
    labels = np.repeat(np.arange(10), (TRAINING + HELD_OUT) // 10)
    seen, held_out = split(labels)
    assert (len(seen), len(held_out)) == (55_000, 5_000)
    assert np.array_equal(np.sort(np.concatenate([seen, held_out])), np.arange(60_000))
    assert np.bincount(labels[held_out]).tolist() == [500] * 10
    assert np.array_equal(split(labels)[1], held_out)


@given(st.lists(st.integers(0, 4), max_size=100), st.integers(1, 4), st.integers(0, 2**16))
@settings(deadline=None)
def test_every_sample_is_dealt_once_and_groups_evenly(
    groups: list[int], parts: int, seed: int
) -> None:
    dealt = deal(np.array(groups, dtype=np.int64), parts, seed)
    assert sorted(np.concatenate(dealt).tolist()) == list(range(len(groups)))
    for group in set(groups):
        counts = [sum(groups[index] == group for index in part) for part in dealt]
        assert max(counts) - min(counts) <= 1


def test_each_third_of_the_training_images_has_a_third_of_those_for_stitches() -> None:
    labels = np.repeat(np.arange(10), (TRAINING + HELD_OUT) // 10)
    thirds = shares(labels, 3)
    assert np.array_equal(np.sort(np.concatenate(thirds)), split(labels)[0])
    for third in thirds:
        assert abs(np.isin(third, for_stitches(labels)).sum() - STITCHING / 3) < 5
        assert np.ptp(np.bincount(labels[third])) <= 1
