"""Devices by name: usable ones, and one line for others."""

import pytest
import torch

from netstitch.errors import SearchError
from netstitch.evaluation import usable_device
from netstitch.evaluation.numerics import check_precision


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


def test_a_precision_that_a_device_does_not_have_is_an_error_of_one_line() -> None:
    check_precision(torch.device("cpu"), "bfloat16")
    with pytest.raises(SearchError, match="give another precision, such as 'float32'") as caught:
        check_precision(torch.device("meta"), "float16")  # which computes nothing
    assert "float16 on device 'meta'" in str(caught.value)
    assert "\n" not in str(caught.value)
