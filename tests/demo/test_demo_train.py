"""Making the embedded files again, on a small stand-in for the full data."""

from pathlib import Path

import numpy as np
import pytest
import torch

from netstitch.demo import train as module
from netstitch.demo.demo_networks import DenseNetwork, InvertedNetwork, example
from netstitch.demo.fashion_mnist import read_idx


def test_about_half_of_the_images_are_mirrored_others_each_time() -> None:
    images = torch.rand(200, 1, 28, 28)
    generator = torch.Generator().manual_seed(0)
    first, second = (module.mirror_half(images, generator) for _ in range(2))
    for found in (first, second):
        kept = [torch.equal(*pair) for pair in zip(found, images, strict=True)]
        mirrored = [torch.equal(*pair) for pair in zip(found, images.flip(3), strict=True)]
        assert all(one != other for one, other in zip(kept, mirrored, strict=True))
        assert 60 < sum(mirrored) < 140
    assert not torch.equal(first, second)


def two_classes() -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.arange(256) % 2
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(256, 1, 28, 28, generator=generator)
    return noise * 0.2 + 0.7 * labels[:, None, None, None], labels


def test_training_learns_and_leaves_a_model_in_evaluation_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCH", 16)
    images, labels = two_classes()
    model = module.train("tiny", module.Recipe(InvertedNetwork, 4, flip=True), images, labels, 0)
    assert not model.training
    found = dict(module.accuracies({"tiny": module.probabilities(model, images)}, labels))
    assert found["tiny"] > 0.95


def test_training_repeats_for_a_seed() -> None:
    images, labels = two_classes()
    recipe = module.Recipe(DenseNetwork, 1, flip=True)
    one, two, other = (module.train("tiny", recipe, images, labels, seed) for seed in (1, 1, 2))
    for key, tensor in one.state_dict().items():
        torch.testing.assert_close(tensor, two.state_dict()[key])
    assert not torch.allclose(one.classifier[2].weight, other.classifier[2].weight)


def test_ensembles_average_probabilities() -> None:
    found = {
        "a": torch.tensor([[0.9, 0.1], [0.4, 0.6]]),
        "b": torch.tensor([[0.2, 0.8], [0.3, 0.7]]),
    }
    assert dict(module.accuracies(found, torch.tensor([0, 0]))) == {
        "a": 0.5,
        "b": 0.0,
        "a + b": 0.5,
    }


@pytest.mark.parametrize("recipe", module.RECIPES.values(), ids=module.RECIPES)
def test_networks_read_one_channel_and_name_ten_classes(recipe: module.Recipe) -> None:
    model = recipe.build()
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
    for part, size in (("stitching", 4_096), ("held-out", 5_000)):
        images = read_idx(tmp_path / f"{part}-images.idx.xz")
        origin[part] = images.reshape(size, 4).copy().view(">u4").ravel()
        assert len(set(origin[part].tolist())) == size
        classes = read_idx(tmp_path / f"{part}-labels.idx.xz")
        assert np.array_equal(classes, labels[origin[part]])
        counts = np.bincount(classes)
        assert counts.max() - counts.min() <= 1
    assert set(origin["held-out"].tolist()) == set(held_out.tolist())
    assert not set(origin["stitching"].tolist()) & set(held_out.tolist())
    assert len(read_idx(tmp_path / "test-images.idx.xz")) == 100
