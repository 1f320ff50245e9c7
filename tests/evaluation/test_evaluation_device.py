"""Devices by name: usable ones, and one line for others."""

import pytest
import torch

from netstitch.errors import SearchError
from netstitch.evaluation import usable_device


def test_the_processor_is_usable() -> None:
    assert usable_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cpu:x", "", "meta"])
def test_what_holds_no_tensor_is_an_error_of_one_line(name: str) -> None:
    with pytest.raises(SearchError, match="expected one that this machine has") as caught:
        usable_device(name)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a machine with a GPU has it")
def test_a_device_that_is_not_there() -> None:
    with pytest.raises(SearchError, match="'cuda'"):
        usable_device("cuda")
