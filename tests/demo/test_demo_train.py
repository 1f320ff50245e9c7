"""Making the embedded files again, on a small stand-in for the full data."""

from pathlib import Path

import numpy as np
import pytest
import torch

from netstitch.demo import train as module
from netstitch.demo.demo_networks import example, mobilenet, resnet
from netstitch.demo.fashion_mnist import read_idx


def test_augmented_images_are_shifted_and_mirrored_versions() -> None:
    images = torch.rand(50, 1, 28, 28)
    found = module.augment(images, torch.Generator().manual_seed(0))
    assert found.shape == images.shape
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2))
    for image, original in zip(found[:, 0], padded[:, 0], strict=True):
        versions = [
            original.flip(1)[top : top + 28, left : left + 28]
            if mirrored
            else original[top : top + 28, left : left + 28]
            for mirrored in (False, True)
            for top in range(5)
            for left in range(5)
        ]
        assert any(torch.equal(image, version) for version in versions)


def test_augmentation_repeats_for_a_seed_and_varies_over_images() -> None:
    images = torch.rand(1, 1, 28, 28).expand(40, 1, 28, 28)
    one, two = (module.augment(images, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one, two)
    assert len({image.numpy().tobytes() for image in one}) > 10


def test_training_learns_and_leaves_a_model_in_evaluation_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCH", 16)
    torch.manual_seed(0)
    labels = torch.arange(256) % 2
    images = torch.rand(256, 1, 28, 28) * 0.2 + 0.7 * labels[:, None, None, None]
    model = resnet()
    module.train(model, images, labels, epochs=4, seed=0, label="tiny")
    assert not model.training
    assert module.accuracy(model, images, labels) > 0.95


@pytest.mark.parametrize("build", [resnet, mobilenet])
def test_networks_read_one_channel_and_name_ten_classes(build: object) -> None:
    model = build()  # type: ignore[operator]
    assert model.eval()(example()).shape == (2, 10)
    assert sum(each.numel() for each in model.parameters()) < 1_000_000


def test_missing_files_say_where_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="dataset-fashion-mnist"):
        module.read_all(tmp_path)


def test_the_shipped_parts_come_from_their_own_sides_of_the_split(
    tmp_path: Path,
) -> None:
    # Every image holds its own number, so that it can be told where it came from.
    numbers = np.arange(60_000, dtype=">u4").view(np.uint8).reshape(60_000, 2, 2)
    labels = np.repeat(np.arange(10, dtype=np.uint8), 6_000)
    arrays = {
        "train-images-idx3": numbers,
        "train-labels-idx1": labels,
        "t10k-images-idx3": numbers[:100],
        "t10k-labels-idx1": labels[:100],
    }
    module.write_data(arrays, tmp_path)
    _, held_out = module.split(labels)
    origin = {}
    for part, size in (("stitching", 4_096), ("validation", 2_048)):
        images = read_idx(tmp_path / f"{part}-images.idx.xz")
        origin[part] = images.reshape(size, 4).copy().view(">u4").ravel()
        assert len(set(origin[part].tolist())) == size
        classes = read_idx(tmp_path / f"{part}-labels.idx.xz")
        assert np.array_equal(classes, labels[origin[part]])
        counts = np.bincount(classes)
        assert counts.max() - counts.min() <= 1
    assert set(origin["validation"].tolist()) <= set(held_out.tolist())
    assert not set(origin["stitching"].tolist()) & set(held_out.tolist())
    assert len(read_idx(tmp_path / "test-images.idx.xz")) == 100
