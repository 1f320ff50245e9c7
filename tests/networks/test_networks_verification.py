"""A capture that computes something else is an error."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from networks_examples import Model, captured, message, rows
from torch import Tensor, nn
from torch.nn import functional as F

from netstitch.errors import CaptureError
from netstitch.networks.verification import verify


def difference(model: Callable[[Tensor], Any], capture: Callable[[Tensor], Any]) -> str:
    with pytest.raises(CaptureError) as caught:
        verify("it", Model(lambda m, x: model(x)), Model(lambda m, x: capture(x)), rows())
    return message(caught.value)


def test_equal_functions_pass() -> None:
    double = Model(lambda m, x: x * 2)
    verify("it", double, double, rows())
    verify("it", double, Model(lambda m, x: x * 2 + 1e-6), rows())


def test_a_difference_says_how_large_and_at_which_batch_size() -> None:
    text = difference(lambda x: x * 2, lambda x: x * 2 + 0.5)
    assert "differs from the model by 0.5 at batch size 3" in text


def test_a_difference_of_one_key_is_named() -> None:
    text = difference(lambda x: {"a": x, "b": x}, lambda x: {"a": x, "b": -x})
    assert "output 'b'" in text


def test_nan_where_the_model_has_none() -> None:
    assert "differs" in difference(lambda x: x, lambda x: x * float("nan"))


def test_a_shape_that_would_broadcast() -> None:
    assert "differs" in difference(lambda x: x[:, :1] * 0, lambda x: x * 0)


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
