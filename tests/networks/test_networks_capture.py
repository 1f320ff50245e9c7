"""Capture: any module becomes a Network that computes the same."""

import copy
import logging

import pytest
import torch
from networks_examples import Model, TinyCNN, TwoHeads, captured, images, operations, rows
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from netstitch.demo import demo_networks as demo
from netstitch.networks import Network, capture
from netstitch.networks.graph import BATCH
from netstitch.networks.operations import KINDS


def check_equal(network: Network, model: nn.Module, batch: Tensor) -> None:
    model = copy.deepcopy(model).eval()
    with torch.no_grad():
        torch.testing.assert_close(network(batch), model(batch), rtol=1e-4, atol=1e-5)


@pytest.fixture
def cnn() -> TinyCNN:
    torch.manual_seed(0)
    return TinyCNN()


@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_capture_computes_the_same_at_unseen_batch_sizes(cnn: TinyCNN, count: int) -> None:
    check_equal(capture(cnn, images(2)), cnn, images(count))


def test_an_example_of_one_sample_is_enough(cnn: TinyCNN) -> None:
    check_equal(capture(cnn, images(1)), cnn, images(5))


def test_a_network_with_squeeze_excitation() -> None:
    torch.manual_seed(0)
    model, batch = demo.InvertedNetwork(), torch.rand(3, 1, 28, 28)
    network = capture(model, demo.example())
    check_equal(network, model, batch)
    check_equal(network, model, batch[:1])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(batch[:1])
    assert network.multiply_adds == counter.get_total_flops() // 2


def test_outputs_may_be_a_dictionary_of_tensors() -> None:
    torch.manual_seed(0)
    model = TwoHeads()
    network = capture(model, rows())
    found, expected = network(rows(5)), model(rows(5))
    assert list(found) == ["out", "aux"]
    for key in found:
        torch.testing.assert_close(found[key], expected[key])


def test_every_operation_is_listed_and_none_is_in_place() -> None:
    def changing(_: Model, x: Tensor) -> Tensor:
        y = x * 2
        y[:, 0] = 1.0
        y.relu_()
        y += 3
        return F.silu(y, inplace=True)

    network = captured(changing, rows())
    assert set(operations(network)) <= {*KINDS, "input", "weight"}
    for name in operations(network):
        assert not name.split(".")[1:2] or not name.split(".")[1].endswith("_")
    x = rows(3)
    expected = torch.cat([torch.ones(3, 1), x[:, 1:] * 2], 1).relu() + 3
    torch.testing.assert_close(network(x), F.silu(expected))


def test_the_model_is_neither_changed_nor_kept(cnn: TinyCNN) -> None:
    cnn.train()
    before = copy.deepcopy(cnn.state_dict())
    network = capture(cnn, images())
    assert all(module.training for module in cnn.modules())
    assert all(p.requires_grad for p in cnn.parameters())
    for key, tensor in cnn.state_dict().items():
        assert torch.equal(tensor, before[key])
    expected = network(images())
    with torch.no_grad():
        for parameter in cnn.parameters():
            parameter.zero_()
    assert torch.equal(network(images()), expected)


def test_a_model_can_be_captured_twice(cnn: TinyCNN) -> None:
    first, second = capture(cnn, images()), capture(cnn, images(4))
    assert first.graph == second.graph


def test_weights_are_frozen_float32_under_the_models_own_names(cnn: TinyCNN) -> None:
    network = capture(cnn, images())
    expected = {key for key in cnn.state_dict() if "num_batches" not in key}
    assert set(network.weights) == expected
    for key, parameter in cnn.named_parameters():
        own = network.weights[key]
        assert isinstance(own, nn.Parameter)
        assert not own.requires_grad
        assert own.dtype == torch.float32
        assert torch.equal(own, parameter)


def test_a_network_stays_in_evaluation_behaviour(cnn: TinyCNN) -> None:
    network = capture(cnn, images())
    expected = network(images())
    assert network.train() is network
    assert not any(module.training for module in network.modules())
    assert torch.equal(network(images()), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_precisions_become_float32(cnn: TinyCNN, dtype: torch.dtype) -> None:
    rounded = cnn.to(dtype)
    network = capture(rounded, images().to(dtype))
    check_equal(network, copy.deepcopy(rounded).float(), images(3))
    assert {tensor.dtype for tensor in network.weights.values()} == {torch.float32}


def test_buffers_constants_and_non_persistent_buffers_are_kept() -> None:
    model = Model(lambda m, x: (x + m.shift) * m.scale + torch.tensor([1.0, 2.0, 3.0, 4.0]))
    model.register_buffer("shift", torch.arange(4.0))
    model.register_buffer("scale", torch.full((4,), 2.0), persistent=False)
    network = capture(model, rows())
    assert {"shift", "scale"} < set(network.weights)
    assert not list(network.parameters())
    check_equal(network, model, rows(3))


def test_what_depends_on_constants_alone_is_computed_once() -> None:
    def forward(m: Model, x: Tensor) -> Tensor:
        positions = torch.arange(4.0)  # neither arange nor inv need be done per batch
        return x @ torch.linalg.inv(m.matrix) + positions * m.matrix.sum().item()

    network = captured(forward, rows(), matrix=torch.eye(4) * 2)
    assert set(operations(network)) == {
        "input", "weight", "aten.matmul.default", "aten.add.Tensor"
    }  # fmt: skip
    torch.testing.assert_close(network(rows(3)), rows(3) / 2 + torch.arange(4.0) * 8)


def test_a_shared_parameter_is_kept_once() -> None:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    network = captured(lambda m, x: m.b(m.a(x)), rows(), a=first, b=second)
    assert set(network.weights) == {"a.weight", "a.bias", "b.bias"}
    torch.testing.assert_close(network(rows(3)), second(first(rows(3))))


def test_a_transposed_view_of_a_parameter_is_not_that_parameter() -> None:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = nn.Parameter(first.weight.data.t())
    network = captured(lambda m, x: m.b(m.a(x)), rows(), a=first, b=second)
    torch.testing.assert_close(network(rows(3)), second(first(rows(3))))


def test_nodes_bear_the_module_path_that_a_user_knows(cnn: TinyCNN) -> None:
    network = capture(cnn, images())
    by_name = network.graph.by_name
    assert by_name["stem_0_conv2d"].path == "stem.0"
    assert by_name["stem_1_batch_norm"].path == "stem.1"
    assert by_name["head_linear"].path == "head"
    assert by_name["relu"].path == ""  # a function in the model's own forward
    assert all(name.isidentifier() for name in by_name)


def test_dropout_is_no_computation(cnn: TinyCNN) -> None:
    assert not any("dropout" in name for name in operations(capture(cnn, images())))


def test_shapes_follow_the_batch(cnn: TinyCNN) -> None:
    graph = capture(cnn, images()).graph
    assert graph.input.shape == (BATCH, 3, 8, 8)
    assert graph.by_name["block_conv2d"].shape == (BATCH, 6, 4, 4)
    assert graph.by_name[graph.outputs[0][1]].shape == (BATCH, 5)


def test_sizes_are_read_from_the_inputs_batch() -> None:
    def doubled(_: Model, x: Tensor) -> Tensor:
        y = torch.cat([x, x])
        return (y * y.new_ones(y.shape[0], 4))[: x.shape[0]]

    network = captured(doubled, rows())
    (size,) = [n for n in network.graph.nodes if n.operation == "aten.sym_size.int"]
    assert size.inputs == ("input",)
    assert torch.equal(network(rows(5)), rows(5))


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (lambda x: torch.full((x.shape[0], 4), 7), torch.int64),
        (lambda x: torch.ones(x.shape[0], 4, dtype=torch.bool), torch.bool),
        (lambda x: torch.zeros(x.shape[0], 4), torch.float32),
        (lambda x: torch.full_like(x, 3.0), torch.float32),
        (lambda x: x.new_full((x.shape[0] * 2, 4), 3.0)[: x.shape[0]], torch.float32),
    ],
)
def test_new_tensors_keep_their_type_and_read_no_content(make, dtype: torch.dtype) -> None:  # type: ignore[no-untyped-def]
    network = captured(lambda m, x: {"made": make(x.relu()), "kept": x * 2}, rows())
    found = network(rows(3))["made"]
    assert found.dtype == dtype
    assert torch.equal(found, make(rows(3)))
    assert "aten.relu.default" not in operations(network)


def test_no_device_is_left_in_a_graph() -> None:
    def placed(m: Model, x: Tensor) -> Tensor:
        x = x.to("cpu", torch.float64).to(torch.float32) + torch.zeros(4, device=x.device)
        return m.part(x.cpu()) + torch.arange(3, device="cpu").to(x.device)

    network = captured(placed, rows(), part=nn.Linear(4, 3))
    for node in network.graph.nodes:
        assert "device" not in node.kwargs
        assert "cpu" not in repr(node.args) + repr(node.kwargs)


def test_submodules_whose_names_modules_need_are_renamed() -> None:
    parts = {name: nn.Linear(4, 4) for name in ("graph", "code", "meta", "constants")}
    named = nn.ModuleDict({"a-b": nn.Linear(4, 4), "a b": nn.Linear(4, 4), "é": nn.Linear(4, 4)})

    def forward(m: Model, x: Tensor) -> Tensor:
        for part in (m.graph, m.code, m.meta, m.constants, *m.named.values()):
            x = part(x)
        return x + torch.tensor(1.0)

    model = Model(forward, named=named, **parts)
    network = capture(model, rows())
    assert "graph_.weight" in network.weights
    assert len([key for key in network.weights if key.startswith("named")]) == 6
    check_equal(network, model, rows(3))


def test_compiled_and_data_parallel_models_are_looked_into(cnn: TinyCNN) -> None:
    expected = capture(cnn, images()).graph
    assert capture(nn.DataParallel(cnn), images()).graph == expected
    assert capture(torch.compile(cnn), images()).graph == expected  # type: ignore[arg-type]


def test_a_frozen_model_in_inference_mode_and_an_example_made_there(cnn: TinyCNN) -> None:
    with torch.inference_mode():
        example = images()
    check_equal(capture(cnn.eval().requires_grad_(False), example), cnn, images(3))


def test_channels_last_examples_and_models(cnn: TinyCNN) -> None:
    moved = copy.deepcopy(cnn).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network = capture(moved, images().contiguous(memory_format=torch.channels_last))
    check_equal(network, cnn, images(3))
    check_equal(network, cnn, images(3).contiguous(memory_format=torch.channels_last))


def test_weight_norm_is_captured_as_the_weight_that_it_gives() -> None:
    part = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
    network = captured(lambda m, x: m.part(x), rows(), part=part)
    assert set(network.weights) == {"part.weight", "part.bias"}
    assert [point.name for point in network.graph.points] == ["part_linear"]  # not the weight
    torch.testing.assert_close(network(rows(3)), part(rows(3)))


@pytest.mark.parametrize("build", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers(build: type[nn.RNNBase]) -> None:
    layer = build(4, 6, num_layers=2, batch_first=True, bidirectional=True)
    network = captured(
        lambda m, x: m.part(x.unflatten(1, (3, 4)))[0][:, -1], rows(2, 12), part=layer
    )
    torch.testing.assert_close(network(rows(5, 12)), layer(rows(5, 12).view(5, 3, 4))[0][:, -1])
    matrices = sum(p.numel() for p in layer.parameters() if p.ndim == 2)
    assert network.multiply_adds == 3 * matrices


def test_capture_is_silent(
    capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    before = logging.root.manager.disable
    captured(lambda m, x: m.part(x), rows(), part=nn.Linear(4, 3))
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    assert logging.root.manager.disable == before


def test_a_network_can_be_copied(cnn: TinyCNN) -> None:
    network = capture(cnn, images())
    twin = copy.deepcopy(network)
    assert torch.equal(twin(images()), network(images()))
    assert twin.weights["head.weight"] is not network.weights["head.weight"]


def test_the_name_is_the_class_or_what_is_given(cnn: TinyCNN) -> None:
    assert capture(cnn, images()).name == "TinyCNN"
    named = capture(cnn, images(), name="mine")
    assert named.name == "mine"
    assert repr(named).startswith("Network(mine: ")


def test_a_module_that_is_used_twice() -> None:
    network = captured(lambda m, x: m.part(m.part(x)), rows(), part=nn.Linear(4, 4))
    assert [point.name for point in network.graph.points] == ["part_linear", "part_linear_2"]
    assert {point.path for point in network.graph.points} == {"part"}
    assert set(network.weights) == {"part.weight", "part.bias"}
