"""Models whose weights are computed of others are captured with the weights that come of it."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from networks_examples import TinyCNN, images, message, operations
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils import spectral_norm as old_spectral_norm
from torch.nn.utils import weight_norm as old_weight_norm

from netstitch.errors import CaptureError
from netstitch.networks import adapted, capture


class Bounded(nn.Module):
    """Branches on the weight itself, which export could not follow."""

    def forward(self, weight: Tensor) -> Tensor:
        size = weight.norm()
        return weight / size if size > 0.1 else weight


class Symmetric(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu() + weight.triu(1).transpose(-1, -2)


class LowRank(nn.Module):
    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return left @ right

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return weight[:, :2].clone(), weight[:2].clone()


class Noisy(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight + torch.rand_like(weight)


def registered(module: nn.Module) -> Callable[[TinyCNN], Any]:
    return lambda model: parametrize.register_parametrization(model.head, "weight", module)


WAYS: dict[str, Callable[[TinyCNN], Any]] = {
    "spectral norm": lambda m: [parametrizations.spectral_norm(x) for x in (m.block, m.head)],
    "weight norm": lambda m: [parametrizations.weight_norm(x) for x in (m.stem[0], m.head)],
    "householder": lambda m: parametrizations.orthogonal(m.head),
    "matrix exponential": lambda m: parametrizations.orthogonal(
        m.head, orthogonal_map="matrix_exp"
    ),
    "Cayley": lambda m: parametrizations.orthogonal(m.head, orthogonal_map="cayley"),
    "orthogonal filters": lambda m: parametrizations.orthogonal(m.block),
    "one's own": registered(Bounded()),
    "of two weights": registered(LowRank()),
    "two in a row": lambda m: [registered(Bounded())(m), parametrizations.spectral_norm(m.head)],
    "a bias": lambda m: parametrize.register_parametrization(m.head, "bias", Bounded()),
    "old weight norm": lambda m: [old_weight_norm(x) for x in (m.stem[0], m.head)],
    "old spectral norm": lambda m: [old_spectral_norm(x) for x in (m.block, m.head)],
    "pruned": lambda m: [
        prune.l1_unstructured(m.stem[0], "weight", 0.5),
        prune.random_structured(m.head, "weight", 0.5, dim=0),
    ],
}


@pytest.fixture
def model() -> TinyCNN:
    torch.manual_seed(0)
    return TinyCNN()


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("way", WAYS)
def test_a_reparametrized_model_is_a_plain_network(model: TinyCNN, way: str) -> None:
    plain = capture(model, images())
    WAYS[way](model)
    model(images())  # as in training, where some weights are left behind
    model.eval()
    expected = model(images(3))
    network = capture(model, images())
    torch.testing.assert_close(network(images(3)), expected, rtol=1e-4, atol=1e-5)
    assert set(network.weights) == set(plain.weights)
    assert operations(network).count("weight") == operations(plain).count("weight")
    assert len(network.graph.nodes) == len(plain.graph.nodes)
    assert network.multiply_adds == plain.multiply_adds
    assert all(isinstance(network.weights[key], nn.Parameter) for key in ("head.weight",))
    torch.testing.assert_close(model(images(3)), expected)  # the model is as it was


def test_a_weight_that_another_layer_shares_is_left_alone(model: TinyCNN) -> None:
    parametrizations.weight_norm(model.head)
    model.drop = nn.Linear(6, 6)  # type: ignore[assignment]
    model.drop.weight = nn.Parameter(torch.randn(5, 6))
    model.drop.weight = model.head.parametrizations.weight.original1  # type: ignore[index, union-attr, assignment]
    model.drop.bias = None  # type: ignore[assignment]
    model.head.weight = torch.randn(5, 6) * 3
    model.head = nn.Sequential(nn.Linear(5, 6), model.head)  # type: ignore[assignment]
    expected = copy.deepcopy(model).eval()(images(3))
    torch.testing.assert_close(capture(model, images())(images(3)), expected)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("norm", [parametrizations.weight_norm, old_weight_norm])
def test_recurrent_layers_with_norms(norm: Callable[..., nn.Module]) -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = norm(nn.GRU(3, 4, batch_first=True), "weight_hh_l0")

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)[1][-1]

    model, x = Last(), torch.randn(3, 5, 3)
    expected = copy.copy(model).eval()(x)
    torch.testing.assert_close(capture(model, x)(x), expected)


def test_weights_drawn_by_chance_are_refused(model: TinyCNN) -> None:
    registered(Noisy())(model)
    with pytest.raises(CaptureError, match="on chance in evaluation mode") as caught:
        capture(model, images())
    message(caught.value)


def test_features_that_a_model_keeps_do_not_prevent_its_capture(model: TinyCNN) -> None:
    model.kept = [model.head.weight * 2]
    expected = copy.copy(model).eval()(images(3))
    torch.testing.assert_close(capture(model, images())(images(3)), expected)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_model_with_old_norms_is_adapted_to_other_images(model: TinyCNN) -> None:
    old_weight_norm(model.head)
    made = adapted(model, mean=(0.5,) * 3, std=(0.5,) * 3)
    network = capture(made, images())
    expected = model.eval()((images(3) - 0.5) / 0.5)
    torch.testing.assert_close(network(images(3)), expected, rtol=1e-4, atol=1e-5)
