"""Networks on disk: what is written comes back, and what is planted or damaged is refused."""

import copy
import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks_examples import Model, TinyCNN, TwoHeads, captured, images, message, rows
from safetensors.torch import save_file
from torch import nn

from netstitch.errors import StorageError
from netstitch.files.documents import validated
from netstitch.networks import Network, capture
from netstitch.networks.module import build_module
from netstitch.networks.network_files import (
    GRAPH_FILE,
    WEIGHTS_FILE,
    GraphDocument,
    graph_to_json,
    load_network,
    read_weights,
    to_graph,
    write_network,
    write_weights,
)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return capture(TinyCNN(), images())


@pytest.fixture
def folder(network: Network, tmp_path: Path) -> Path:
    write_network(network, tmp_path)
    return tmp_path


def refused(folder: Path) -> str:
    with pytest.raises(StorageError) as caught:
        load_network(folder)
    return message(caught.value)


def rewrite(folder: Path, change: Any) -> None:
    document = json.loads((folder / GRAPH_FILE).read_text())
    change(document)
    (folder / GRAPH_FILE).write_text(json.dumps(document))


def row(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(node for node in document["nodes"] if node["name"] == name)


# -- what is written comes back


def test_a_network_comes_back_bit_for_bit(network: Network, folder: Path) -> None:
    loaded = load_network(folder)
    assert loaded.graph == network.graph
    assert loaded.name == network.name
    assert torch.equal(loaded(images(3)), network(images(3)))
    assert loaded.weights.keys() == network.weights.keys()
    assert not any(p.requires_grad for p in loaded.parameters())
    assert {k for k, _ in loaded.named_buffers()} == {k for k, _ in network.named_buffers()}


def test_dictionary_outputs_odd_numbers_and_types_come_back(tmp_path: Path) -> None:
    key = 'it\'s "a"\nkey; import os'

    def forward(m: Model, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = torch.where(x > 0, x, float("-inf")).clamp(min=-1e30).to(torch.float64) * 1.0
        return {key: y, "double": y.to(torch.float32) / 0.1, "whole": (x > 0) & m.mask}

    network = captured(forward, rows(), mask=torch.tensor([True, False, True, False]))
    write_network(network, tmp_path)
    loaded = load_network(tmp_path)
    assert loaded.graph == network.graph
    for found, expected in zip(loaded(rows(3)).values(), network(rows(3)).values(), strict=True):
        assert found.dtype == expected.dtype
        assert torch.equal(found, expected)


def test_models_with_two_heads(tmp_path: Path) -> None:
    network = capture(TwoHeads(), rows())
    write_network(network, tmp_path)
    assert load_network(tmp_path).graph == network.graph


def test_a_graph_is_the_same_through_text(network: Network) -> None:
    text, path = json.dumps(graph_to_json(network.graph), allow_nan=False), Path("x")
    document = validated(json.loads(text), GraphDocument, path)
    assert to_graph(document, path) == network.graph


def test_tensors_that_share_memory_are_written_each(tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    tensors = {"a": whole[:3], "b": whole[1:], "c": nn.Parameter(whole, requires_grad=False)}
    write_weights(tmp_path / "w", tensors)
    loaded = read_weights(tmp_path / "w")
    assert all(torch.equal(loaded[key], tensors[key]) for key in tensors)
    assert [isinstance(loaded[key], nn.Parameter) for key in "abc"] == [False, False, True]


# -- what is planted does not run


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_in_place_of_weights_is_not_opened(folder: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    for content in (pickle.dumps(Trap(marker)), b"PK\x03\x04" + bytes(100)):
        (folder / WEIGHTS_FILE).write_bytes(content)
        assert WEIGHTS_FILE in refused(folder)
    torch.save(Trap(marker), folder / WEIGHTS_FILE)
    assert "pickles, are never opened" in refused(folder)
    assert not marker.exists()


def test_a_pickle_in_place_of_the_graph_is_not_opened(folder: Path, tmp_path: Path) -> None:
    (folder / GRAPH_FILE).write_bytes(pickle.dumps(Trap(tmp_path / "marker")))
    assert GRAPH_FILE in refused(folder)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(
    "operation",
    [
        "os.system", "builtins.eval", "eval", "aten.from_file.default",
        "torch.ops.aten.relu.default", "aten.relu_.default", "aten.__class__.mro",
        "aten.relu.__call__", "", "aten..", "getattr",
        "prim.load.default", "input.x",
    ],
)  # fmt: skip
def test_operations_that_are_not_listed(folder: Path, operation: str) -> None:
    rewrite(folder, lambda d: row(d, "relu").update(operation=operation))
    assert repr(operation) in refused(folder)


CODE = [
    "x; import os", "a\nimport os\nb", "a'b", 'a"b', "__import__('os').system('x')", "a b", "",
    "1a", "self", "class", "lambda", "ｅval", "a.b", "x=1)#",
]  # fmt: skip


@pytest.mark.parametrize("name", CODE)
def test_code_as_the_name_of_a_node(folder: Path, name: str) -> None:
    def rename(document: dict[str, Any]) -> None:
        text = json.dumps(document).replace('"relu"', json.dumps(name))
        document.update(json.loads(text))

    rewrite(folder, rename)
    assert "node" in refused(folder)


@pytest.mark.parametrize("name", CODE)
def test_code_as_a_keyword(folder: Path, name: str) -> None:
    rewrite(folder, lambda d: row(d, "relu").update(kwargs={name: 1}))
    assert "keyword" in refused(folder)


@pytest.mark.parametrize(
    "path",
    ["x; import os", "a\nb", "a'b", 'a"].x', "__class__", "__init__.x", "forward", "train", "class",
     "_modules", "load_state_dict", "graph", "../../etc/passwd", "/etc/passwd", "a..b", ".", ""],
)  # fmt: skip
def test_code_or_a_modules_own_names_as_the_key_of_a_weight(folder: Path, path: str) -> None:
    rewrite(folder, lambda d: row(d, "head_weight").update(path=path))
    assert "the weight" in refused(folder)


@pytest.mark.parametrize("path", ["head", "head.bias", "head.bias.x"])
def test_keys_that_cannot_hang_beside_each_other(folder: Path, path: str) -> None:
    rewrite(folder, lambda d: row(d, "head_weight").update(path=path))
    refused(folder)


@pytest.mark.parametrize(
    "argument",
    [
        {"dtype": "load"}, {"dtype": "ops"}, {"dtype": "__name__"}, {"memory_format": "float32"},
        {"layout": "hub"}, {"code": "1"}, {"ref": "nobody"}, {"ref": "head_linear"}, {"ref": 1},
        {"float": "x"}, {"float": "__import__('os')"}, {"dtype": "float32", "ref": "input"}, {},
    ],
)  # fmt: skip
def test_arguments_that_are_none(folder: Path, argument: Any) -> None:
    rewrite(folder, lambda d: row(d, "relu").update(args=[[argument]]))
    refused(folder)


def test_text_as_an_argument_stays_text(folder: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    text = f"'); open({str(marker)!r}, 'w')\n#\\"
    network = load_network(folder)
    rewrite(folder, lambda d: row(d, "relu")["args"].append(text))
    assert "'relu' (aten.relu.default) does not take its arguments" in refused(folder)
    relu = network.graph.by_name["relu"]
    changed = replace(relu, args=(*relu.args, text))
    nodes = tuple(changed if node is relu else node for node in network.graph.nodes)
    module = build_module(replace(network.graph, nodes=nodes), network.weights)
    with pytest.raises(RuntimeError):  # relu takes no text
        module(images())
    assert not marker.exists()
    assert repr(text) in module.code


def test_a_key_of_an_output_stays_text(folder: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    key = f"'}}; open({str(marker)!r}, 'w')\n#"
    rewrite(folder, lambda d: d.update(outputs=[[key, "relu"]]))
    assert list(load_network(folder)(images())) == [key]
    assert not marker.exists()


# -- damage


@pytest.mark.parametrize("name", [GRAPH_FILE, WEIGHTS_FILE])
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name} is missing" in refused(folder)


@pytest.mark.parametrize("name", [GRAPH_FILE, WEIGHTS_FILE])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file(folder: Path, name: str, share: float) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(len(content) * share)])
    assert name in refused(folder)


@pytest.mark.parametrize("name", [GRAPH_FILE, WEIGHTS_FILE])
def test_a_folder_in_place_of_a_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    assert name in refused(folder)


@pytest.mark.parametrize(
    "text",
    ["null", "[]", "3", '"x"', "{}", '{"format": 1}', "NaN", "[" * 100_000, "9" * 5_000, "\x00",
     '{"format": "netstitch-network-2"}', '{"format": "netstitch-network-1", "name": "x"}',
     '{"format": "netstitch-network-1", "name": "x", "nodes": [], "outputs": []}'],
)  # fmt: skip
def test_json_that_is_no_graph(folder: Path, text: str) -> None:
    (folder / GRAPH_FILE).write_text(text)
    assert GRAPH_FILE in refused(folder)


def deep(levels: int) -> Any:
    nested: Any = []
    for _ in range(levels):
        nested = [nested]
    return nested


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shape", "batch"), ("shape", [1.5]), ("shape", {}), ("shape", [[1]]), ("shape", 3),
        ("dtype", "load"), ("dtype", 3), ("dtype", ["float32"]), ("path", None), ("path", 3),
        ("multiply_adds", -1), ("multiply_adds", 1.5), ("multiply_adds", "1"),
        ("elementwise", None), ("multiply_adds", 10**30),
        ("elementwise", True), ("point", 1), ("point", "yes"),
        ("args", None), ("args", {}), ("args", "ref"), ("args", [{"ref": None}]), ("args", [1.5]),
        ("args", deep(500)), ("kwargs", None), ("kwargs", []), ("kwargs", {"a": {"b": "c"}}),
        ("name", None), ("name", 3), ("name", "input"), ("operation", None), ("operation", 3),
        ("operation", "input"), ("operation", "weight"),
    ],
)  # fmt: skip
def test_a_field_of_a_wrong_type(folder: Path, field: str, value: Any) -> None:
    rewrite(folder, lambda d: row(d, "relu").update({field: value}))
    refused(folder)


@pytest.mark.parametrize(
    "outputs",
    [None, [], 3, "ab", [[None]], [[None, "nobody"]], [["a", "relu"], ["a", "relu"]], [[1, "relu"]],
     [[None, "relu"], ["a", "relu"]], [[None, "relu"], [None, "relu"]], [[None, ["relu"]]]],
)  # fmt: skip
def test_outputs_that_are_none(folder: Path, outputs: Any) -> None:
    rewrite(folder, lambda d: d.update(outputs=outputs))
    refused(folder)


def test_a_point_that_no_stitch_reads(folder: Path) -> None:
    rewrite(folder, lambda d: row(d, "relu").update(shape=["batch", 4, 4]))
    assert "cannot be a point" in refused(folder)


def test_a_cycle(folder: Path) -> None:
    rewrite(folder, lambda d: row(d, "stem_0_conv2d")["args"].__setitem__(0, {"ref": "relu"}))
    assert "before it is made" in refused(folder)


def test_a_node_that_stands_twice(folder: Path) -> None:
    rewrite(folder, lambda d: d["nodes"].append(copy.deepcopy(row(d, "relu"))))
    assert "stands twice" in refused(folder)


def test_no_input_and_two(folder: Path) -> None:
    rewrite(folder, lambda d: d["nodes"].append({**row(d, "input"), "name": "other"}))
    assert "one input" in refused(folder)


@pytest.mark.parametrize("change", ["missing", "surplus", "shape", "dtype"])
def test_weights_that_are_not_the_graphs(folder: Path, network: Network, change: str) -> None:
    weights = {key: tensor.detach().clone() for key, tensor in network.weights.items()}
    if change == "missing":
        del weights["head.weight"]
    elif change == "surplus":
        weights["other"] = torch.zeros(1)
    elif change == "shape":
        weights["head.weight"] = weights["head.weight"].T.contiguous()
    else:
        weights["head.weight"] = weights["head.weight"].double()
    save_file(weights, folder / WEIGHTS_FILE)
    assert ("'other'" if change == "surplus" else "'head.weight'") in refused(folder)


@pytest.mark.parametrize("text", ["3", "{}", '"x"', "[1]", "[", "[" * 100_000])
def test_a_damaged_list_of_parameters(folder: Path, network: Network, text: str) -> None:
    weights = {key: tensor.detach().clone() for key, tensor in network.weights.items()}
    save_file(weights, folder / WEIGHTS_FILE, metadata={"parameters": text})
    assert WEIGHTS_FILE in refused(folder)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a JSON document with each of its keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        yield value, key
        if isinstance(item, dict | list):
            yield from places(item)


STRANGE = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.sampled_from(["input", "relu", "weight", "head.weight", "batch", "float32", "__class__"]),
    st.just([]), st.just({}), st.just({"ref": "input"}), st.just([[None, "relu"]]),
)  # fmt: skip


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_document_changed_anywhere_loads_or_is_refused(
    folder: Path, network: Network, data: st.DataObject
) -> None:
    path = folder / GRAPH_FILE
    original = path.read_text()
    document = json.loads(original)
    for _ in range(data.draw(st.integers(1, 3))):
        spots = list(places(document))
        container, key = spots[data.draw(st.integers(0, len(spots) - 1))]
        kind = data.draw(st.sampled_from(["replace", "delete", "rename"]))
        if kind == "replace":
            container[key] = copy.deepcopy(data.draw(STRANGE))  # or it may hold itself
        elif kind == "delete":
            del container[key]
        elif isinstance(container, dict):
            container[data.draw(st.text(max_size=5))] = container.pop(key)
    try:
        path.write_text(json.dumps(document))
        load_network(folder)
    except StorageError as error:
        message(error)
    finally:
        path.write_text(original)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from([GRAPH_FILE, WEIGHTS_FILE]), st.integers(0, 700), st.binary(max_size=8))
def test_bytes_changed_anywhere_load_or_are_refused(
    folder: Path, name: str, position: int, content: bytes
) -> None:
    path = folder / name
    original = path.read_bytes()
    try:
        path.write_bytes(original[:position] + content + original[position + len(content) :])
        load_network(folder)
    except StorageError as error:
        message(error)
    finally:
        path.write_bytes(original)
