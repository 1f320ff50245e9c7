"""Multiply-adds from shapes, held against torch's counter of floating-point operations."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks_examples import TinyCNN, captured, images, node_of, rows
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from netstitch.demo import demo_networks as demo
from netstitch.networks import capture
from netstitch.networks.counting import elementwise, multiply_adds
from netstitch.networks.operations import KINDS, Kind


def counted(function: Callable[[Tensor], Any], batch: Tensor) -> int:
    """Multiply-adds that torch counts for one sample."""
    # Fused attention is not counted on a CPU; its plain form is.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        function(batch[:1])
    total = counter.get_total_flops()
    assert total % 2 == 0
    return total // 2


MODELS: dict[str, tuple[Callable[[Any, Tensor], Tensor], Tensor, dict[str, Any]]] = {
    "conv": (lambda m, x: m.p(x), images(), {"p": nn.Conv2d(3, 5, 3, stride=2, padding=1)}),
    "groups": (lambda m, x: m.p(x), images(2, 4), {"p": nn.Conv2d(4, 8, 3, groups=2)}),
    "same": (lambda m, x: m.p(x), images(), {"p": nn.Conv2d(3, 2, 3, padding="same")}),
    "dilated": (lambda m, x: m.p(x), images(), {"p": nn.Conv2d(3, 2, 3, dilation=2)}),
    "transposed": (lambda m, x: m.p(x), images(), {"p": nn.ConvTranspose2d(3, 4, 3, stride=2)}),
    "conv1d": (lambda m, x: m.p(x[:, :, 0]), images(), {"p": nn.Conv1d(3, 4, 3)}),
    "transposed1d": (lambda m, x: m.p(x[:, 0]), images(), {"p": nn.ConvTranspose1d(8, 4, 3)}),
    "conv3d": (lambda m, x: m.p(x[:, None]), images(), {"p": nn.Conv3d(1, 4, 3)}),
    "linear": (lambda m, x: m.p(x), rows(), {"p": nn.Linear(4, 7)}),
    "linear on images": (lambda m, x: m.p(x), images(), {"p": nn.Linear(8, 7)}),
    "mm": (lambda m, x: torch.mm(x, m.p), rows(), {"p": torch.ones(4, 6)}),
    "addmm": (lambda m, x: torch.addmm(m.p[0], x, m.p), rows(), {"p": torch.ones(4, 6)}),
    "matmul": (lambda m, x: x @ x.transpose(2, 3), images(), {}),
    "matmul with a vector": (lambda m, x: x @ m.p, images(), {"p": torch.ones(8)}),
    "bmm": (lambda m, x: torch.bmm(x[:, 0], x[:, 1]), images(), {}),
    "baddbmm": (lambda m, x: torch.baddbmm(x[:, 0], x[:, 1], x[:, 2]), images(), {}),
    "einsum": (
        lambda m, x: torch.einsum("bhw,wd->bdh", x[:, 0], m.p),
        images(),
        {"p": torch.ones(8, 5)},
    ),
    "dots": (lambda m, x: torch.einsum("...w,wv->...v", x, m.p), images(), {"p": torch.ones(8, 5)}),
    "no arrow": (lambda m, x: torch.einsum("bh,hw", x, m.p), rows(), {"p": torch.ones(4, 5)}),
    "einsum of itself": (lambda m, x: torch.einsum("bchw,bciw->bchi", x, x), images(), {}),
    "keywords": (lambda m, x: F.linear(input=x, weight=m.p), rows(), {"p": torch.ones(3, 4)}),
    "attention": (lambda m, x: F.scaled_dot_product_attention(x, x, x), images(), {}),
    "cross attention": (
        lambda m, x: F.scaled_dot_product_attention(x, key=x[:, :, :5], value=x[:, :, :5, :3]),
        images(),
        {},
    ),
    "shared input": (lambda m, x: x @ x, images(), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_single_layers(name: str) -> None:
    function, batch, parts = MODELS[name]
    network = captured(function, batch, **parts)
    model = network.module  # the captured graph itself, so that only the count differs
    expected = counted(model, batch)
    if "vector" in name:  # torch does not count products with a vector
        assert expected == 0
        expected = 3 * 8 * 8
    assert network.multiply_adds == expected > 0


@pytest.mark.parametrize("build", [TinyCNN, demo.ResidualNetwork])
def test_whole_networks(build: Callable[[], nn.Module]) -> None:
    batch = images() if build is TinyCNN else demo.example()
    model = build().eval()
    assert capture(model, batch).multiply_adds == counted(model, batch)


def test_multi_head_attention() -> None:
    layer = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    network = captured(
        lambda m, x: m.p(x, x, x, need_weights=False)[0], rows(2, 40).view(2, 5, 8), p=layer
    )
    # Four projections of 5 tokens, and the products of queries, keys and values.
    assert network.multiply_adds == 4 * 5 * 8 * 8 + 2 * 5 * 5 * 8


def test_the_rest_is_counted_apart() -> None:
    network = captured(lambda m, x: F.avg_pool2d(m.p(x).relu(), 2), images(), p=nn.BatchNorm2d(3))
    assert network.multiply_adds == 0
    assert node_of(network, "aten.relu.default").elementwise == 3 * 8 * 8
    assert node_of(network, "aten.batch_norm.default").elementwise == 3 * 8 * 8
    assert node_of(network, "aten.avg_pool2d.default").elementwise == 3 * 8 * 8  # what it reads


def test_views_cost_nothing() -> None:
    network = captured(lambda m, x: x.flatten(1).unflatten(1, (3, 64)).transpose(1, 2), images())
    assert sum(node.elementwise + node.multiply_adds for node in network.graph.nodes) == 0


@settings(deadline=None, max_examples=30)
@given(
    st.tuples(*[st.integers(1, 4)] * 3),
    st.sampled_from([(1, 1), (2, 2), (3, 3), (2, 4)]),
    st.integers(4, 7),
)
def test_convolutions_cost_what_loops_over_them_do(
    kernel: tuple[int, int, int], strides: tuple[int, int], size: int
) -> None:
    channels, outputs, k = kernel
    x = torch.ones(1, channels, size, size)
    y = F.conv2d(x, torch.ones(outputs, channels, k, k), stride=strides)
    # Every output adds its kernel's weights, so ones add up to the number of multiply-adds.
    shapes = [x.shape, (outputs, channels, k, k)]
    name = "aten.conv2d.default"
    assert multiply_adds(name, y.shape, shapes) == int(y.sum())


def test_no_other_kind_multiplies() -> None:
    heavy = {Kind.CONVOLUTION, Kind.LINEAR, Kind.MATRIX_PRODUCT, Kind.ATTENTION, Kind.RECURRENT}
    for name, kind in KINDS.items():
        if kind in heavy:
            assert elementwise(name, (1, 4), []) == 0
        else:
            assert multiply_adds(name, (1, 4), [(1, 4), (4, 4)]) == 0
