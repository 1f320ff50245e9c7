import io
import os
import pickle
import random
import struct
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from netstitch.errors import DataError
from netstitch.tasks import Samples, from_arrays, read_arrays

INPUTS, LABELS = np.arange(12.0).reshape(6, 2), np.array([0, 0, 0, 0, 1, 1])


def from_file(path: Path | str, **settings: Any) -> Samples:
    return from_arrays(*read_arrays(path), **{"name": Path(path).stem, **settings})


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "held-out.npz"
    np.savez(path, inputs=INPUTS, labels=LABELS)
    return path


def test_arrays_of_an_npz(archive):
    samples = from_file(archive)
    assert samples.inputs.tolist() == INPUTS.tolist()
    assert samples.labels.tolist() == LABELS.tolist()


def test_tensors_of_a_safetensors_file(tmp_path):
    path = tmp_path / "data.safetensors"
    save_file({"inputs": torch.tensor(INPUTS), "labels": torch.tensor(LABELS)}, path)
    samples = from_file(str(path), name="test")
    assert samples.name == "test"
    assert samples.inputs.tolist() == INPUTS.tolist()


def test_images_of_bytes(tmp_path):
    path = tmp_path / "images.npz"
    np.savez_compressed(path, inputs=np.full((2, 4, 4), 255, np.uint8), labels=[1, 0])
    assert from_file(path, images="nhw").inputs.unique().tolist() == [1.0]


def test_inputs_alone(tmp_path):
    np.savez(tmp_path / "data.npz", inputs=INPUTS)
    [inputs] = read_arrays(tmp_path / "data.npz", ["inputs"])
    assert np.array_equal(inputs, INPUTS)


class Payload:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_payload_in_an_object_array_does_not_run(tmp_path):
    mark, path = tmp_path / "ran", tmp_path / "evil.npz"
    np.savez(path, inputs=np.array([Payload(mark)], dtype=object), labels=np.array([0]))
    with pytest.raises(DataError, match="inputs is an array of Python objects, which is a pickle"):
        from_file(path)
    assert not mark.exists()
    # The payload is live: it is the reader that keeps it from running.
    np.load(path, allow_pickle=True)["inputs"]
    assert mark.exists()


@pytest.mark.parametrize("ending", [".npz", ".safetensors", ".pt", ".pkl"])
def test_a_plain_pickle_under_any_name_does_not_run(tmp_path, ending):
    mark, path = tmp_path / "ran", tmp_path / f"evil{ending}"
    path.write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(DataError, match=r"pickle|damaged"):
        from_file(path)
    assert not mark.exists()


@pytest.mark.parametrize("kept", [0, 3, 100, -30])
def test_a_truncated_archive_is_damaged(archive, kept):
    archive.write_bytes(archive.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"held-out\.npz cannot be read as \.npz"):
        from_file(archive)


def test_a_flipped_byte_is_damage(archive):
    content = bytearray(archive.read_bytes())
    content[content.index(INPUTS[1].tobytes())] ^= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as"):
        from_file(archive)


def test_a_damaged_safetensors_file(tmp_path):
    path = tmp_path / "data.safetensors"
    path.write_bytes(b"\xff" * 20)
    with pytest.raises(DataError, match=r"cannot be read as \.safetensors"):
        from_file(path)


def test_missing_arrays_are_named(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, inputs=INPUTS, targets=LABELS)
    with pytest.raises(DataError, match=r"lacks labels; .* it holds inputs, targets"):
        from_file(path)


def test_a_single_array_is_no_archive(tmp_path):
    path = tmp_path / "data.npz"
    with path.open("wb") as file:
        np.save(file, INPUTS)
    with pytest.raises(DataError, match="a single array"):
        from_file(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="is no file"):
        from_file(tmp_path / "none.npz")


def array(content: Any) -> bytes:
    """A file .npy."""
    file = io.BytesIO()
    np.save(file, content)
    return file.getvalue()


def headed(shape: tuple[int, ...], kind: str = "<f4", content: bytes = b"\0" * 64) -> bytes:
    """A file .npy whose header says so, whatever is behind it."""
    file = io.BytesIO()
    header = {"descr": kind, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + content


def said(header: bytes) -> bytes:
    """A file .npy with such a header."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def packed(path: Path, inputs: bytes, labels: bytes = array(LABELS), **settings: Any) -> Path:
    with zipfile.ZipFile(path, "w", **settings) as archive:
        archive.writestr("inputs.npy", inputs)
        archive.writestr("labels.npy", labels)
    return path


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': garbage", r"cannot be read as \.npz"),
        (b"\x93NUM", "cannot be read"),
        (b"", "cannot be read"),
        (b"\x93NUMPY\x01\x00\xff\xff{'de", "cannot be read"),
        (b"\x93NUMPY\x09\x00\x10\x00{}", "inputs is no plain array"),
        (said(b"(" * 9_000), "cannot be read"),
        (said(b"{'descr': 'zz', 'fortran_order': False, 'shape': (3,)}"), "cannot be read"),
        (said(b"{'descr': '<f4', 'fortran_order': False, 'shape': 'x'}"), "cannot be read"),
        (headed((10**12, 3, 8, 8)), r"takes 768,000,000,000,000 bytes, and 64 are there"),
        (headed((10**30,)), "inputs is damaged"),
        (headed((6, 4)), "takes 96 bytes, and 64 are there"),
        (headed((6, 2)), "takes 48 bytes, and 64 are there"),
        (headed((-4, -4)), "inputs is damaged"),
        (headed((3,), "|O", b"x"), "inputs is an array of Python objects"),
        (array(np.array(["a"] * 6)), "inputs are <U1; expected an array of numbers"),
        (array(np.zeros(6, [("a", "f4")])), "expected an array of numbers"),
        (array(np.zeros(6, "M8[s]")), "expected an array of numbers"),
    ],
)
def test_damaged_arrays_are_one_line(tmp_path, inputs, message):
    path = packed(tmp_path / "data.npz", inputs)
    with pytest.raises(DataError, match=message) as raised:
        from_file(path)
    assert "\n" not in str(raised.value)
    assert "data" in str(raised.value)


def test_an_archive_that_lies_about_its_size_takes_no_room(tmp_path):
    """Both headers say 12 GB; what is there could never become so much."""
    path = packed(tmp_path / "data.npz", headed((1_000_000_000, 3), content=b"\0" * 640))
    content = bytearray(path.read_bytes())
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", 0xFFFFFFFE)
    path.write_bytes(content)
    with pytest.raises(DataError, match="takes 12,000,000,000 bytes, and at most 768 are"):
        from_file(path)


def test_an_encrypted_archive_is_called_that(tmp_path):
    path = packed(tmp_path / "data.npz", array(INPUTS))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x03\x04") + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="inputs is encrypted; save it without a password"):
        from_file(path)


@pytest.mark.parametrize("way", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_archives_may_be_compressed(tmp_path, way):
    zeros = packed(tmp_path / "data.npz", array(np.zeros((6, 100_000))), compression=way)
    assert from_file(zeros).shape == (100_000,)


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_whatever_bytes_change_it_is_read_or_refused(tmp_path, kind):
    path, generator = tmp_path / f"data.{kind}", random.Random(0)
    if kind == "npz":
        np.savez_compressed(path, inputs=INPUTS, labels=LABELS)
    else:
        save_file({"inputs": torch.tensor(INPUTS), "labels": torch.tensor(LABELS)}, path)
    whole = path.read_bytes()
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(generator.randint(1, 4)):
            content[generator.randrange(len(content))] = generator.randrange(256)
        if generator.random() < 0.3:
            del content[generator.randrange(len(content)) :]
        path.write_bytes(content)
        with suppress(DataError):
            from_file(path)


def test_a_name_that_is_no_utf8(archive):
    path = archive.rename(archive.with_name(os.fsdecode(b"\xff.npz")))
    assert len(from_file(path)) == 6
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"\\xff\.npz cannot be read") as raised:
        from_file(path)
    str(raised.value).encode()  # it can be printed


def test_bytes_may_be_normalised(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, inputs=np.full((2, 4, 4), 255, np.uint8), labels=[1, 0])
    samples = from_file(path, images="nhw", normalisation=([0.5], [0.25]))
    assert samples.inputs.unique().tolist() == [2.0]
