"""The outputs a model may have: a tensor or a dictionary of tensors, the batch in dimension 0."""

from typing import Any

import pytest
import torch
from networks_examples import Model, captured, message, rows
from torch import Tensor

from netstitch.errors import CaptureError


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda m, x: (x, x), "returns a tuple"),
        (lambda m, x: [x], "returns a list"),
        (lambda m, x: None, "returns a NoneType"),
        (lambda m, x: {"a": None}, "returns a dict"),
        (lambda m, x: {"a": {"b": x}, "c": x}, "output 'a' is a dict"),
        (lambda m, x: {0: x}, "is called 0"),
        (lambda m, x: x.sum(), "has shape \\(\\)"),
        (lambda m, x: {"mean": x.mean(0)}, "output 'mean' has shape \\(4\\)"),
        (lambda m, x: torch.cat([x, x]), "has shape \\(2\\*batch, 4\\)"),
        (lambda m, x: m.fixed, "has shape \\(2, 2\\)"),
    ],
)
def test_other_outputs_are_refused(function: Any, reason: str) -> None:
    with pytest.raises(CaptureError, match=reason) as caught:
        captured(function, rows(), fixed=torch.zeros(2, 2))
    message(caught.value)


def test_a_model_that_changes_its_own_state() -> None:
    def counting(m: Model, x: Tensor) -> Tensor:
        m.count.add_(1)
        return x

    with pytest.raises(CaptureError, match="changes 'count'"):
        captured(counting, rows(), count=torch.zeros(1))


def test_a_model_that_changes_its_input() -> None:
    with pytest.raises(CaptureError, match="changes its input"):
        captured(lambda m, x: x.add_(1), rows())


def test_keys_may_be_any_strings() -> None:
    key = 'it\'s "a"\nkey'
    network = captured(lambda m, x: {key: x * 2}, rows())
    assert torch.equal(network(rows(3))[key], rows(3) * 2)


def test_one_tensor_under_two_keys() -> None:
    network = captured(lambda m, x: dict.fromkeys(("a", "b"), x * 2), rows())
    assert network.graph.outputs[0][1] == network.graph.outputs[1][1]
    assert list(network(rows())) == ["a", "b"]


def test_the_input_itself() -> None:
    network = captured(lambda m, x: x, rows())
    assert torch.equal(network(rows(3)), rows(3))
