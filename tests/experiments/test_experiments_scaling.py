"""`mean` and `std` of `[task.images]`, for bytes and for floats."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from netstitch.errors import DataError
from netstitch.experiments import Experiment, load_task, read_experiment
from netstitch.tasks import Task

BYTES = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3), dtype=np.uint8)
MAPS, LABELS = np.zeros((9, 4, 4), np.uint8), np.arange(9)[:, None] % 3
GIVEN = "mean = [0.1, 0.2, 0.3]\nstd = [0.5, 0.25, 0.125]"
EXPECTED = (
    (torch.tensor(BYTES).permute(0, 3, 1, 2) / 255 - torch.tensor([0.1, 0.2, 0.3])[:, None, None])
    / torch.tensor([0.5, 0.25, 0.125])[:, None, None]
)  # fmt: skip

PYTHON = """
import numpy as np
import torch
from torch import nn
from torch.utils.data import TensorDataset

def bytes_and_labels():
    found = np.load(__file__.replace("own.py", "bytes.npz"))
    return found["inputs"], found["labels"]

def bare(): return torch.tensor(bytes_and_labels()[0])
def maps(): return bytes_and_labels()[0], np.zeros((9, 4, 4), np.uint8)
def floats(): return torch.rand(9, 3, 4, 4), torch.arange(9) % 3
def items(): return TensorDataset(*floats())
def float_maps(): return torch.rand(9, 3, 4, 4), torch.zeros(9, 4, 4, dtype=torch.uint8)
def net(): return nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(PYTHON)
    np.savez(tmp_path / "bytes.npz", inputs=BYTES, labels=LABELS)
    save_file({"inputs": BYTES, "labels": LABELS}, tmp_path / "bytes.safetensors")
    np.savez(tmp_path / "floats.npz", inputs=np.zeros((9, 3, 4, 4), np.float32), labels=LABELS)
    return tmp_path


def read(folder: Path, source: str, keys: str, kind: str = "classification", own: str = "") -> Task:
    classes = "" if kind == "agreement" else "classes = 3\n"
    part = f'source = "{source}"\n'
    (folder / "e.toml").write_text(
        f'[[networks]]\nmodel = "own.py:net"\n{own}[[networks]]\nmodel = "own.py:net"\n'
        f'[task]\nkind = "{kind}"\n{classes}[task.training]\n{part}[task.validation]\n{part}'
        f"[task.images]\n{keys}\n"
    )
    return load_task(read_experiment(folder / "e.toml"))


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("bytes.npz", "classification"),
        ("bytes.safetensors", "classification"),
        ("own.py:bytes_and_labels", "classification"),
        ("bytes.npz", "agreement"),
        ("own.py:bare", "agreement"),
        ("own.py:maps", "segmentation"),
    ],
)
def test_bytes_are_normalised_with_what_is_given(folder: Path, source: str, kind: str) -> None:
    plain = read(folder, source, 'arrays = "nhwc"', kind)
    assert torch.equal(plain.validation.inputs, torch.tensor(BYTES).permute(0, 3, 1, 2) / 255)
    given = read(folder, source, f'arrays = "nhwc"\n{GIVEN}', kind)
    assert torch.allclose(given.validation.inputs, EXPECTED, atol=1e-6)


@pytest.mark.parametrize("keys", [GIVEN, "mean = [0.485, 0.456, 0.406]", "std = [1, 1, 1]"])
@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("floats.npz", "classification"),
        ("own.py:floats", "classification"),
        ("own.py:items", "classification"),
        ("floats.npz", "agreement"),
        ("own.py:items", "agreement"),
        ("own.py:float_maps", "segmentation"),
    ],
)
def test_a_mean_beside_floats_is_refused(folder: Path, source: str, kind: str, keys: str) -> None:
    assert len(read(folder, source, "size = 4", kind).validation) == 9
    with pytest.raises(DataError, match=r"inputs are floating point, .*\[task.images\] has a mean"):
        read(folder, source, keys, kind)


def test_networks_with_images_of_their_own_know_what_floats_are_normalised_with(
    folder: Path,
) -> None:
    own = "[networks.images]\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n"
    assert read(folder, "floats.npz", GIVEN, own=own).validation.inputs.unique().tolist() == [0.0]
    with pytest.raises(DataError, match="does not say what these bytes are normalised with"):
        read(folder, "bytes.npz", 'arrays = "nhwc"', own=own)
    found = read(folder, "bytes.npz", f'arrays = "nhwc"\n{GIVEN}', own=own)
    assert torch.allclose(found.validation.inputs, EXPECTED, atol=1e-6)


def test_whether_a_mean_was_given_is_written_down(folder: Path) -> None:
    """A run that goes on reads its samples as it did, whatever was filled in."""
    for keys, given in (("size = 4", False), (GIVEN, True), ("mean = [0.5, 0.5, 0.5]", True)):
        read(folder, "bytes.npz", f'arrays = "nhwc"\n{keys}')
        asked = read_experiment(folder / "e.toml")
        written = asked.model_dump_json(exclude_none=True)
        again = Experiment.model_validate(json.loads(written))
        assert again == asked
        assert again.task.images.normalisation == asked.task.images.normalisation
        assert ("std" in json.loads(written)["task"]["images"]) is given
    assert asked.task.images.mean == (0.5, 0.5, 0.5)
