"""The list of operations."""

import pytest
import torch

from netstitch.networks.operations import KINDS, Kind, name_of, resolve


def test_every_listed_operation_exists() -> None:
    for name in KINDS:
        assert callable(resolve(name))


def test_none_changes_its_arguments() -> None:
    for name in KINDS:
        function = resolve(name)
        if isinstance(function, torch._ops.OpOverload):
            assert not function._schema.is_mutable, name


def test_names_lead_back() -> None:
    for name in KINDS:
        assert name_of(resolve(name)) == name


@pytest.mark.parametrize(
    "name",
    ["aten.from_file.default", "os.system", "aten.relu", "aten.relu_.default", "aten.rand.default",
     "getattr", "eval", "aten.__class__.__mro__", "", "aten.conv2d.default.x"],
)  # fmt: skip
def test_other_names_are_not_turned_into_calls(name: str) -> None:
    with pytest.raises(KeyError):
        resolve(name)


def test_kinds() -> None:
    assert KINDS["aten.conv2d.default"] is Kind.CONVOLUTION
    assert KINDS["int.mul"] is Kind.SIZE


def test_targets_that_cannot_be_looked_up_have_names_too() -> None:
    assert name_of([1]) == "[1]"
