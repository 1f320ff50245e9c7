"""The embedded networks and images: what the demo promises of them."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

import netstitch.demo
from netstitch.demo.demo_networks import CLASSES, example
from netstitch.demo.embedded import NETWORKS, load_models, load_task
from netstitch.networks import Network, capture
from netstitch.tasks import Classification, Samples

DATA = Path(netstitch.demo.__file__).parent / "data"


@pytest.fixture(scope="module")
def task() -> Classification:
    return load_task()


@pytest.fixture(scope="module")
def logits(task: Classification) -> dict[str, torch.Tensor]:
    """(10,000, classes) of each network on the test images."""
    assert task.test is not None
    found = {}
    for name, model in load_models(tuple(NETWORKS)).items():
        model = model.eval().to(memory_format=torch.channels_last)
        with torch.inference_mode():
            found[name] = torch.cat([model(batch) for batch in task.test.batches(250)])
    return found


@pytest.fixture(scope="module")
def networks() -> list[Network]:
    return [
        capture(model, example(), name=name) for name, model in load_models(tuple(NETWORKS)).items()
    ]


def parts(task: Classification) -> dict[str, Samples]:
    assert task.training is not None
    return {"training": task.training, **task.measured}


def test_the_parts_have_their_sizes_and_shapes(task: Classification) -> None:
    sizes = {"training": 4_096, "validation": 5_000, "test": 10_000}
    for name, samples in parts(task).items():
        assert samples.inputs.shape == (sizes[name], 1, 28, 28)
        assert 0 <= samples.inputs.min() < samples.inputs.max() <= 1


def test_the_parts_are_stratified(task: Classification) -> None:
    for samples in parts(task).values():
        counts = torch.bincount(samples.labels, minlength=CLASSES)
        assert counts.max() - counts.min() <= 1


def test_no_image_is_in_two_parts(task: Classification) -> None:
    # Fashion-MNIST itself has some images twice; bytes of an image stand for it.
    seen = {
        name: {image.numpy().tobytes() for image in samples.inputs}
        for name, samples in parts(task).items()
    }
    test = seen.pop("test")
    for one, other in combinations(seen.values(), 2):
        assert not one & other
    assert len(test & set.union(*seen.values())) < 10


def test_accuracy_rises_with_cost(
    task: Classification, logits: dict[str, torch.Tensor], networks: list[Network]
) -> None:
    assert task.test is not None
    found = [task.accuracy(logits[network.name], task.test.labels) for network in networks]
    assert 0.89 < found[0] < found[1] < found[2]
    costs = [network.multiply_adds for network in networks]
    assert costs == sorted(costs)
    assert costs[2] < 6_000_000


@pytest.mark.parametrize("names", [*combinations(NETWORKS, 2), tuple(NETWORKS)], ids=" + ".join)
def test_networks_together_know_more_than_the_best_of_them(
    task: Classification, logits: dict[str, torch.Tensor], names: tuple[str, ...]
) -> None:
    assert task.test is not None
    best = max(task.accuracy(logits[name], task.test.labels) for name in names)
    ensemble = task.combine([logits[name] for name in names])
    assert task.accuracy(ensemble, task.test.labels) > best + 0.004


def test_they_are_of_different_families(networks: list[Network]) -> None:
    operations = {
        network.name: {node.operation for node in network.graph.nodes} for network in networks
    }
    assert "aten.hardswish.default" in operations["inverted"]
    assert "aten.cat.default" in operations["dense"]
    assert not {"aten.hardswish.default", "aten.cat.default"} & operations["residual"]


def test_all_of_it_is_under_10_million_bytes_and_readable_by_all() -> None:
    files = list(DATA.iterdir())
    assert sum(path.stat().st_size for path in files) < 10_000_000
    assert "LICENSE-fashion-mnist" in {path.name for path in files}
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in files)


def test_every_tensor_is_finite_and_single_precision() -> None:
    for model in load_models(tuple(NETWORKS)).values():
        for tensor in model.state_dict().values():
            assert torch.isfinite(tensor).all()
            assert tensor.dtype in (torch.float32, torch.int64)


def test_models_are_independent_of_each_other() -> None:
    first, second = load_models(), load_models()
    with torch.no_grad():
        next(first["residual"].parameters()).zero_()
    assert np.abs(next(second["residual"].parameters()).detach().numpy()).max() > 0
