import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from netstitch.errors import DataError
from netstitch.tasks import from_file

INPUTS, LABELS = np.arange(12.0).reshape(6, 2), np.array([0, 0, 0, 0, 1, 1])


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "held-out.npz"
    np.savez(path, inputs=INPUTS, labels=LABELS)
    return path


def test_arrays_of_an_npz(archive):
    samples = from_file(archive)
    assert samples.name == "held-out"
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


def test_a_limit_keeps_samples_of_every_class(archive):
    assert from_file(archive, limit=4).inputs[:, 0].tolist() == [0, 2, 8, 10]
    assert from_file(archive, limit=4, selection="first").labels.tolist() == [0, 0, 0, 0]


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
