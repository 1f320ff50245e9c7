"""A capture that computes something else is an error."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from networks_examples import Model, captured, message, rows
from torch import Tensor, nn
from torch.nn import functional as F

from netstitch.errors import CaptureError
from netstitch.networks import capture
from netstitch.networks.capturing.verification import verify


def difference(model: Callable[[Tensor], Any], capture: Callable[[Tensor], Any]) -> str:
    with pytest.raises(CaptureError) as caught:
        verify(Model(lambda m, x: model(x)), Model(lambda m, x: capture(x)), rows())
    return message(caught.value)


def test_equal_functions_pass() -> None:
    double = Model(lambda m, x: x * 2)
    verify(double, double, rows())
    verify(double, Model(lambda m, x: x * 2 + 1e-6), rows())


def test_a_difference_says_how_large_and_at_which_batch_size() -> None:
    text = difference(lambda x: x * 2, lambda x: x * 2 + 0.5)
    assert "differs from the model by 0.5 (largest output" in text
    assert "at batch size 3" in text


def test_a_difference_of_one_key_is_named() -> None:
    text = difference(lambda x: {"a": x, "b": x}, lambda x: {"a": x, "b": -x})
    assert "output 'b'" in text


def test_nan_where_the_model_has_none() -> None:
    assert "differs" in difference(lambda x: x, lambda x: x * float("nan"))


def test_a_shape_that_would_broadcast() -> None:
    assert "differs" in difference(lambda x: x[:, :1] * 0, lambda x: x * 0)


def test_shapes_that_differ_are_told_as_shapes() -> None:
    text = difference(lambda x: x, lambda x: x.sum(1))
    assert "in shape, (3,) in place of (3, 4), at batch size 3" in text
    assert "inf" not in text


@pytest.mark.parametrize(
    ("forward", "alone", "whole"),
    [
        (lambda m, x: x[:, :, None].squeeze(), "(4,)", "(1, 4)"),
        (lambda m, x: {"a": x * 2, "b": x.squeeze()}, "(4,)", "(1, 4)"),
        (lambda m, x: x.squeeze(0), "(4,)", "(1, 4)"),
        (lambda m, x: m.head(x[:, :, None, None].squeeze().relu()), "(3,)", "(1, 3)"),
    ],
)
def test_a_squeeze_that_loses_the_batch_says_so_and_what_to_write(
    forward: Callable[[Any, Tensor], Any], alone: str, whole: str
) -> None:
    with pytest.raises(CaptureError) as caught:
        captured(forward, rows(), head=nn.Linear(4, 3))
    text = message(caught.value)
    assert f"in shape, {alone} in place of {whole}, where it is alone" in text
    assert "loses the batch dimension at " in text
    assert "squeeze((2, 3))" in text
    assert "inf" not in text


def test_the_line_of_a_squeeze_that_loses_the_batch_is_shown() -> None:
    class Squeezes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, :, None].squeeze()  # here

    with pytest.raises(CaptureError, match=rf"{__file__}:\d+: `.*# here`"):
        capture(Squeezes(), rows())


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: x.squeeze().transpose(0, 1).relu().t(),  # fails without a batch
        lambda m, x: x * x[:, :1].squeeze().softmax(-1)[..., None],
    ],
)
def test_a_squeeze_in_the_middle_is_named_too(forward: Callable[[Any, Tensor], Any]) -> None:
    with pytest.raises(CaptureError, match="squeeze") as caught:
        captured(forward, rows())
    message(caught.value)


def test_a_squeeze_of_other_dimensions_loses_nothing() -> None:
    network = captured(lambda m, x: x[:, :, None].squeeze(-1), rows())
    assert torch.equal(network(rows(1)), rows(1))


def test_integer_and_boolean_outputs_are_compared_too() -> None:
    assert "differs" in difference(lambda x: x > 0, lambda x: x <= 0)
    assert "differs" in difference(lambda x: x.argmax(1), lambda x: x.argmin(1))


def test_a_model_whose_own_output_is_not_finite() -> None:
    layer = nn.Linear(4, 4)
    with torch.no_grad():
        layer.weight[0, 0] = float("nan")
    with pytest.raises(CaptureError, match="model's own output holds NaN") as caught:
        captured(lambda m, x: m.layer(x), rows(), layer=layer)
    message(caught.value)


@pytest.mark.parametrize(
    "mixing",
    [
        lambda m, x: x - x.mean(0, keepdim=True),
        lambda m, x: F.batch_norm(x, None, None, training=True),
        lambda m, x: x / x.max(),
        lambda m, x: x.softmax(0),
    ],
)
def test_a_model_that_mixes_samples(mixing: Callable[[Any, Tensor], Tensor]) -> None:
    with pytest.raises(CaptureError, match="other samples of its batch") as caught:
        captured(mixing, rows())
    message(caught.value)
