"""Slips of those who call from Python are one line that says what is expected."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from image_trees import class_folders
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from netstitch import tasks
from netstitch.errors import DataError

INPUTS, LABELS = torch.rand(6, 3), torch.arange(6) % 3
PAIR = (INPUTS, LABELS)
SAMPLES = tasks.Samples(INPUTS, LABELS)
BYTES = np.zeros((2, 3, 4, 4), np.uint8)


def net(*_: Any) -> torch.Tensor:
    raise RuntimeError("expected 4 dimensions")


@pytest.mark.parametrize(
    "read",
    [
        tasks.image_folder,
        tasks.all_images,
        tasks.read_arrays,
        tasks.imagenet_v2,
        lambda path: tasks.imagenet(path, "val"),
        lambda path: tasks.voc(path, 2012, "val"),
    ],
)
@pytest.mark.parametrize("path", [None, 5, INPUTS, b"data", "a\0b"])
def test_what_is_no_path(read: Callable[[Any], Any], path: Any) -> None:
    with pytest.raises(DataError, match="is no path; expected that of a "):
        read(path)


@pytest.mark.parametrize("limit", [0, -1, 2.5, "3", True, [3]])
def test_what_is_no_limit(tmp_path: Path, limit: Any) -> None:
    class_folders(tmp_path / "data", ["ant", "bee"])
    for read in (
        lambda: tasks.all_images(tmp_path / "data", limit=limit),
        lambda: tasks.image_folder(tmp_path / "data").kept(limit, "evenly"),
        lambda: tasks.from_dataset(TensorDataset(INPUTS, LABELS), limit=limit),
        lambda: tasks.evenly([0, 1], limit),
    ):
        with pytest.raises(DataError, match=r"a limit of .* samples is not usable; give 1 or more"):
            read()


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        (lambda: tasks.from_arrays([[1.0, 2.0], [3.0]], [0, 1]), "inputs are a list .* no array"),
        (lambda: tasks.from_arrays(None, None), "expected an array of numbers"),
        (lambda: tasks.from_arrays({"a": 1}, [0]), "expected an array of numbers"),
        (lambda: tasks.from_arrays(torch.eye(3).to_sparse(), LABELS[:3]), "expected a dense one"),
        (lambda: tasks.from_arrays(torch.rand(3, 3, device="meta"), LABELS[:3]), "a dense one"),
        (
            lambda: tasks.from_arrays(BYTES, [0, 1], images="nchw", normalisation=(0.5, 0.5)),
            r"expected the pair \(mean, std\)",
        ),
        (lambda: tasks.from_maps(BYTES / 1.0, np.zeros((2, 4, 4), complex)), "array of numbers"),
        (lambda: tasks.from_dataset(5), "an int has no length"),
        (lambda: tasks.from_dataset(DataLoader(TensorDataset(*PAIR))), "a DataLoader has no items"),
        (lambda: tasks.from_dataset(TensorDataset(*PAIR), workers=-1), "workers is -1"),
        (lambda: tasks.Samples(INPUTS.numpy(), LABELS), "inputs are a ndarray; expected a dense"),
        (lambda: tasks.Samples(INPUTS, [0, 1, 2]), r"labels are a list \(int, int, int\)"),
        (lambda: tasks.unlabelled(None), "inputs are None; expected a tensor"),
        (lambda: tasks.unlabelled(torch.tensor(1.0)), "expected a tensor, "),
        (lambda: SAMPLES.batches("3"), "a batch size of '3'"),
        (lambda: tasks.Classification(validation=PAIR, classes=3), r"validation is a tuple \(Ten"),
        (lambda: tasks.Classification(validation=None, classes=3), "validation is None"),
        (
            lambda: tasks.Classification(validation=SAMPLES, training=INPUTS, classes=3),
            "training is a Tensor; expected samples, such as netstitch.tasks.from_arrays",
        ),
        (
            lambda: tasks.Classification(validation=SAMPLES, classes="3"),
            "classes is '3'; give their number",
        ),
        (lambda: tasks.Segmentation(validation=PAIR, classes=3), "validation is a tuple"),
        (lambda: tasks.Segmentation(validation=SAMPLES, classes=999), "their number, 2 to 255"),
        (lambda: tasks.agreement(nn.Linear(3, 3), validation=SAMPLES), "expected a list of them"),
        (lambda: tasks.agreement([], validation=SAMPLES), "expected a list of them"),
        (lambda: tasks.agreement([net], validation=PAIR), "validation is a tuple"),
        (lambda: tasks.agreement([net], validation=SAMPLES), "fails on inputs .*expected 4 dim"),
        (lambda: tasks.Preprocessing(size="224"), "size is '224'; expected a valid integer"),
        (lambda: tasks.Preprocessing(size=(224, 224)), r"size is \(224, 224\); expected a valid"),
        (lambda: tasks.Preprocessing(mean=0.5, std=0.5), "mean is 0.5; expected a valid tuple"),
        (
            lambda: tasks.Preprocessing(interpolation="lanczos"),
            "'lanczos'; expected 'bicubic' or 'bil",
        ),
        (lambda: tasks.decode_images("data", None, name="x"), "cannot be decoded; expected a list"),
    ],
)
def test_other_slips(slip: Callable[[], Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as raised:
        slip()
    assert "\n" not in str(raised.value)
