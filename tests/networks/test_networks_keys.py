"""Keys of weights can be nothing but names."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.networks.graph import WEIGHT, Node
from netstitch.networks.keys import Keys, is_identifier, is_key, readable_names


@pytest.mark.parametrize("key", ["weight", "layer3.4.conv2.weight", "0.bias", "a_b.C", "_x"])
def test_names_that_are_keys(key: str) -> None:
    assert is_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "", ".", "a.", ".a", "a..b", "a b", "a-b", "é", "a\n", "a'b", 'a"', "x;import os", "a[0]",
        "__class__", "__init__", "a.__dict__", "forward", "train.weight", "_modules", "graph",
        "load_state_dict", "code", "class.weight", "None", "a/../b", "a.lambda",
    ],
)  # fmt: skip
def test_names_that_are_none(key: str) -> None:
    assert not is_key(key)


@pytest.mark.parametrize("name", ["", "self", "class", "a b", "é", "ｅval", "x;y", "1a", "a\n"])
def test_names_that_are_no_identifiers(name: str) -> None:
    assert not is_identifier(name)


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("ab. -é_1"), max_size=6), max_size=12))
def test_keys_made_of_any_paths_can_hang_in_one_module(paths: list[str]) -> None:
    keys = Keys()
    made = [keys.make(path) for path in paths]
    assert all(map(is_key, made))
    assert len(set(made)) == len(made)
    for one in made:  # the slow obvious check: none is the module that another hangs in
        assert not any(other.startswith(f"{one}.") for other in made)


def test_a_path_that_is_a_key_stays() -> None:
    keys = Keys()
    assert [keys.make(path) for path in ("a.b", "a.c", "d")] == ["a.b", "a.c", "d"]


def test_clashing_paths_are_numbered_in_the_first_part() -> None:
    keys = Keys()
    assert [keys.make(path) for path in ("a-b.c", "a_b.c", "a_b", "d", "d.e")] == [
        "a_b.c", "a_b_2.c", "a_b_3", "d", "d_2.e",
    ]  # fmt: skip


def test_nodes_are_named_by_path_then_operation_then_number() -> None:
    nodes = [
        Node("1", WEIGHT, path="layer.weight"),
        Node("2", "aten.conv2d.default", path="layer"),
        Node("3", "aten.conv2d.default", path="layer"),
        Node("4", "aten.relu.default"),
        Node("5", "aten.relu.default", path="0.é"),
        Node("6", "int.mul"),
        Node("7", WEIGHT, path="self"),
        Node("8", WEIGHT, path="lambda"),
    ]
    assert list(readable_names(nodes).values()) == [
        "layer_weight", "layer_conv2d", "layer_conv2d_2", "relu", "n0__relu", "mul", "nself",
        "nlambda",
    ]  # fmt: skip
