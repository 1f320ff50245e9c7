"""An example that is no batch of the model's inputs is told what to give instead."""

from typing import Any

import numpy as np
import pytest
import torch
from networks_examples import TinyCNN, images, message

from netstitch.errors import CaptureError
from netstitch.networks import capture


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        (None, "needs an example as its second argument"),
        ((2, 3, 8, 8), "if it is a shape, give torch.rand"),
        (np.zeros((2, 3, 8, 8), np.float32), "give torch.from_numpy"),
        ((images(), torch.tensor([0, 1])), "give the inputs alone, example[0]"),
        ([images()], "example[0]"),
        (iter([images()]), "next(iter(...))"),
        ("image.png", "the example is a str"),
        ({"image": images()}, "the example is a dict"),
        (images().byte(), "the example is uint8"),
        (images().long(), "models of token numbers"),
        (images()[0, 0, 0], "example.unsqueeze(0)"),
        (images().to("meta"), "on the device 'meta'"),
    ],
)
def test_an_example_of_another_kind(example: Any, expected: str) -> None:
    with pytest.raises(CaptureError) as caught:
        capture(TinyCNN(), example)
    assert expected in message(caught.value)


def test_a_forgotten_example() -> None:
    with pytest.raises(CaptureError, match="TinyCNN: capture needs an example"):
        capture(TinyCNN())
