"""Networks that end in probabilities are told from those that end in logits."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import netstitch as ns
from netstitch.errors import CaptureError, StitchingError
from netstitch.networks import Network, capture
from netstitch.networks.probabilities import (
    SMALLEST,
    are_probabilities,
    check_alike,
    probabilities_of,
)

Ending = Callable[[Tensor], Tensor]


class Ends(nn.Module):
    """A linear layer, or a convolution of maps, and what is done to its logits."""

    def __init__(self, ending: Callable[[Tensor], object], maps: bool = False) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 1) if maps else nn.Linear(6, 4)
        self.ending = ending

    def forward(self, x: Tensor) -> object:
        return self.ending(self.layer(x))


def by_hand(logits: Tensor) -> Tensor:
    shares = torch.exp(logits - logits.amax(1, keepdim=True))
    return shares / shares.sum(1, keepdim=True)


def overflowing(logits: Tensor) -> Tensor:
    return (50 * logits).exp() / (50 * logits).exp().sum(1, keepdim=True)


def two_classes(logits: Tensor) -> Tensor:
    first = logits[:, :1].sigmoid()
    return torch.cat([first, 1 - first], 1)


def ends(ending: Callable[[Tensor], object], maps: bool = False) -> nn.Module:
    torch.manual_seed(3)
    return Ends(ending, maps).eval()


def network(ending: Callable[[Tensor], object], maps: bool = False, name: str = "it") -> Network:
    model = ends(ending, maps)
    example = torch.randn(2, 3, 4, 4) if maps else torch.randn(2, 6)
    return capture(model, example, name=name)


PROBABILITIES: dict[str, Ending] = {
    "softmax": lambda y: y.softmax(1),
    "sigmoid": torch.sigmoid,
    "clipped": lambda y: y.softmax(1).clamp(1e-7, 1),
    "reshaped": lambda y: y.softmax(1)[:, :, None].squeeze(2),
    "by hand": by_hand,
    "overflowing by hand": overflowing,
    "a sigmoid by hand": lambda y: 1 / (1 + (-y).exp()),
    "exponentials of logarithms": lambda y: y.log_softmax(1).exp(),
    "a mean of two": lambda y: (y.softmax(1) + (2 * y).softmax(1)) / 2,
    "a class and the other": two_classes,
}
LOGITS: dict[str, Ending] = {
    "a layer": lambda y: y,
    "logarithms": lambda y: y.log_softmax(1),
    "logarithms by hand": lambda y: y.softmax(1).log(),
    "a temperature": lambda y: y / 3,
    "a gate": lambda y: y * y.sigmoid(),
    "tanh": torch.tanh,
    "relu": torch.relu,
}


@pytest.mark.parametrize("name", PROBABILITIES)
def test_endings_that_are_probabilities(name: str) -> None:
    assert set(probabilities_of(network(PROBABILITIES[name]))) == {None}


@pytest.mark.parametrize("name", LOGITS)
def test_endings_that_are_logits(name: str) -> None:
    assert probabilities_of(network(LOGITS[name])) == {}


@pytest.mark.parametrize(
    ("ending", "found"),
    [
        (lambda y: y, {}),
        (lambda y: y.softmax(1), {None: "softmax"}),
        (lambda y: functional.interpolate(y.softmax(1), scale_factor=2.0), {None: "softmax"}),
        (lambda y: functional.interpolate(y, scale_factor=2.0), {}),
        (lambda y: y.permute(0, 2, 3, 1).softmax(-1).permute(0, 3, 1, 2), {None: "softmax"}),
        (by_hand, {None: "as its values show"}),
    ],
)
def test_maps_of_pixels(ending: Ending, found: dict[None, str]) -> None:
    assert probabilities_of(network(ending, maps=True)) == found


def test_each_output_of_a_dictionary_is_told_by_itself() -> None:
    made = network(lambda y: {"sure": y.softmax(1), "raw": y})
    assert probabilities_of(made) == {"sure": "softmax"}


def test_values_are_probabilities_where_they_sum_to_one() -> None:
    rows = torch.rand(5, 4).softmax(1)
    assert are_probabilities(rows)
    assert not are_probabilities(rows * 1.1)
    assert not are_probabilities(rows - rows.min() - 0.01)
    assert are_probabilities(torch.rand(5, 4), whole=False)
    assert not are_probabilities(torch.full((5, 4), float("nan")))
    rows[0] = float("nan")
    assert are_probabilities(rows)


def test_networks_that_end_alike() -> None:
    soft, raw = network(PROBABILITIES["softmax"]), network(LOGITS["a layer"])
    assert check_alike([("a", raw), ("b", raw)]) == frozenset()
    assert check_alike([("a", soft), ("b", soft)]) == {None}
    with pytest.raises(StitchingError, match=r"b ends in probabilities \(softmax\) and a, c") as e:
        check_alike([("a", raw), ("b", soft), ("c", raw)])
    assert 'outputs = "probabilities"' in str(e.value)
    assert "\n" not in str(e.value)


# -- their logarithm


@pytest.mark.parametrize("name", PROBABILITIES)
def test_a_network_may_put_out_the_logarithm_of_its_probabilities(name: str) -> None:
    model = ends(PROBABILITIES[name])
    made = ns.capture(model, torch.randn(2, 6), outputs="probabilities")
    x = torch.randn(7, 6)
    with torch.no_grad():
        torch.testing.assert_close(made(x), model(x).clamp_min(SMALLEST).log())
    assert probabilities_of(made) == {}
    assert not model._forward_hooks


def test_no_logarithm_is_infinite() -> None:
    model = ends(lambda y: (1000 * y).softmax(1))
    made = ns.capture(model, torch.randn(2, 6), outputs="probabilities")
    x = torch.randn(7, 6, requires_grad=True)
    assert float(made(x).detach().min()) == pytest.approx(-69.0776, abs=1e-3)
    made(x).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_the_logarithm_is_part_of_what_is_counted() -> None:
    plain = network(PROBABILITIES["softmax"])
    made = ns.capture(Ends(PROBABILITIES["softmax"]), torch.ones(2, 6), outputs="probabilities")
    elements = [sum(node.elementwise for node in one.graph.nodes) for one in (plain, made)]
    assert elements[1] > elements[0]
    assert made.multiply_adds == plain.multiply_adds


@pytest.mark.parametrize("name", LOGITS)
def test_logits_have_no_logarithm(name: str) -> None:
    with pytest.raises(CaptureError, match="its output holds none") as caught:
        ns.capture(Ends(LOGITS[name]), torch.randn(2, 6), outputs="probabilities")
    assert "\n" not in str(caught.value)


def test_other_words_for_outputs_are_not_known() -> None:
    with pytest.raises(CaptureError, match="'softmax' are not known; give 'logits'"):
        ns.capture(Ends(torch.relu), torch.randn(2, 6), outputs="softmax")  # type: ignore[arg-type]
