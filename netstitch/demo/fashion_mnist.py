"""Reading Fashion-MNIST's files, and splitting its images as the demo does.

Images are (n, 1, 28, 28) float32 in [0, 1], labels (n,) int64 in 0..9. Source: Xiao, Rasul and
Vollgraf (2017), MIT licence; see LICENSE-fashion-mnist beside the embedded data.
"""

import gzip
import lzma
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TRAINING, HELD_OUT = 55_000, 5_000  # of the 60,000 training images
STITCHING = 4_096  # of the 55,000
SPLIT_SEED = 20_240_714


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Return the array of bytes in an IDX file, which may be packed with gzip or xz.

    Raises:
        ValueError: The file is none of these.
    """
    raw = path.read_bytes()
    if path.suffix == ".gz":
        raw = gzip.decompress(raw)
    elif path.suffix == ".xz":
        raw = lzma.decompress(raw)
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path} is not an IDX file of bytes")
    dimensions = raw[3]
    shape = struct.unpack(f">{dimensions}I", raw[4 : 4 + 4 * dimensions])
    body = np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * dimensions)
    if body.size != int(np.prod(shape)):
        raise ValueError(f"{path} holds {body.size} bytes, its head says {shape}")
    return body.reshape(shape)


def write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    """Write bytes as an xz-compressed IDX file, the same for the same array."""
    head = b"\x00\x00\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(
        lzma.compress(head + np.ascontiguousarray(array).tobytes(), preset=9 | lzma.PRESET_EXTREME)
    )


def to_images(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return images (n, 1, 28, 28) of float32 in [0, 1], of bytes (n, 28, 28)."""
    return (pixels[:, None].astype(np.float32)) / np.float32(255)


def stratified(labels: NDArray[np.integer], size: int, seed: int) -> NDArray[np.int64]:
    """Return sorted indices of `size` samples, every class within one of its share."""
    order = np.random.default_rng(seed).permutation(len(labels))
    drawn: list[int] = []
    following: list[tuple[float, int]] = []  # the next of each class, by what its share leaves over
    for label in np.unique(labels):
        members = order[labels[order] == label]
        share = size * len(members) / len(labels)
        drawn += members[: int(share)].tolist()
        following += [(share % 1, index) for index in members[int(share) :][:1].tolist()]
    following.sort(key=lambda one: (-one[0], one[1]))
    drawn += [index for _, index in following[: size - len(drawn)]]
    return np.sort(np.array(drawn, dtype=np.int64))


def deal(groups: NDArray[np.integer], parts: int, seed: int) -> list[NDArray[np.int64]]:
    """Return sorted indices of samples in so many parts, each with its share of every group.

    Args:
        groups: (n,) which group each sample belongs to.
        parts: How many; their sizes differ by one at most.
        seed: Of the order in which samples are dealt.
    """
    order = np.random.default_rng(seed).permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    return [np.sort(order[first::parts]) for first in range(parts)]


def split(labels: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of 55,000 images that train the networks, and of 5,000 that do not."""
    held_out = stratified(labels, HELD_OUT, SPLIT_SEED)
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out


def for_stitches(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the indices of the 4,096 of the 55,000 images that stitches are fitted on."""
    seen, _ = split(labels)
    return seen[stratified(labels[seen], STITCHING, seed=1)]


def shares(labels: NDArray[np.integer], count: int) -> list[NDArray[np.int64]]:
    """Return the indices of the 55,000 images in equal shares, each to train a network of its own.

    Every class is dealt evenly, and so are the images that stitches are fitted on.
    """
    seen, _ = split(labels)
    groups = 2 * labels[seen].astype(np.int64) + np.isin(seen, for_stitches(labels))
    return [seen[part] for part in deal(groups, count, seed=3)]
