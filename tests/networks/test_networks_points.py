"""Points: tensors that follow the input, batch first, channels known and in place."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from networks_examples import captured, images
from torch import Tensor, nn
from torch.nn import functional as F

from netstitch.networks.feature_layout import stitchable
from netstitch.networks.graph import BATCH, INPUT, Node, Ref
from netstitch.networks.points import find_points


def points(function: Callable[[Any, Tensor], Tensor], **parts: Any) -> set[str]:
    """Operations of the points of a model on (b, 4, 8, 8) images."""

    def three_axes(m: Any, x: Tensor) -> Tensor:  # an output that is no point itself
        return function(m, x).reshape(x.shape[0], 1, -1)

    network = captured(three_axes, images(2, 4), **parts)
    return {
        p.operation.replace("getitem", "aten.split").split(".")[1] for p in network.graph.points
    }


@pytest.mark.parametrize(
    ("function", "found"),
    [
        # What keeps batch and channels.
        (lambda m, x: m.conv(x), {"conv2d"}),
        (lambda m, x: m.conv(x).relu(), {"conv2d", "relu"}),
        (lambda m, x: m.norm(x), {"batch_norm"}),
        (lambda m, x: F.group_norm(x, 2), {"group_norm"}),
        (lambda m, x: F.max_pool2d(x, 2), {"max_pool2d"}),
        (lambda m, x: F.adaptive_avg_pool2d(x, 1), {"adaptive_avg_pool2d"}),
        (lambda m, x: x + m.conv(x), {"conv2d", "add"}),
        (lambda m, x: x * m.weight[:, None, None], {"mul"}),
        (lambda m, x: torch.cat([x, x.relu()], 1), {"relu", "cat"}),
        (lambda m, x: x[:, :2], {"slice"}),
        (lambda m, x: x.split(2, 1)[0] * 2, {"mul", "split"}),
        (lambda m, x: F.pad(x, (1, 1)), {"pad"}),
        (lambda m, x: F.glu(x, 1), {"glu"}),
        (lambda m, x: x.softmax(1), {"softmax"}),
        (lambda m, x: x.mean((2, 3), keepdim=True), {"mean"}),
        (lambda m, x: x.mean((2, 3)) * 2, {"mean", "mul"}),
        (lambda m, x: x.roll(1, 3), {"roll"}),
        (lambda m, x: F.pixel_shuffle(x, 2), {"pixel_shuffle"}),
        # 2-D features.
        (lambda m, x: m.linear(x.flatten(1)), {"reshape", "linear"}),
        (lambda m, x: m.linear(x.flatten(1)).softmax(1), {"reshape", "linear", "softmax"}),
        # Channels that come back to their place.
        (lambda m, x: x.permute(0, 2, 3, 1).permute(0, 3, 1, 2) * 2, {"permute", "mul"}),
        (lambda m, x: x.flatten(2).transpose(1, 2).mean(1) * 2, {"mean", "mul"}),
        (lambda m, x: x.flatten(2).reshape(-1, 4, 8, 8) * 2, {"reshape", "mul"}),
    ],
)  # fmt: skip
def test_what_keeps_batch_and_channels_in_place(
    function: Callable[[Any, Tensor], Tensor], found: set[str]
) -> None:
    torch.manual_seed(0)
    parts = {
        "conv": nn.Conv2d(4, 4, 1),
        "norm": nn.BatchNorm2d(4),
        "linear": nn.Linear(4 * 64, 5),
        "weight": nn.Parameter(torch.ones(4)),
    }
    assert points(function, **parts) - {"alias"} == found


@pytest.mark.parametrize(
    "function",
    [
        # Channels last.
        lambda m, x: x.permute(0, 2, 3, 1),
        lambda m, x: F.layer_norm(x.permute(0, 2, 3, 1), (4,)),
        lambda m, x: m.last(x),  # along the width
        # Three axes are no layout that stitches read.
        lambda m, x: x.flatten(2),
        # Attention maps: (batch, heads, queries, keys).
        lambda m, x: x.reshape(-1, 2, 2, 64).transpose(2, 3) @ x.reshape(-1, 2, 2, 64),
        lambda m, x: F.scaled_dot_product_attention(x, x, x),
        # Windows folded into the batch.
        lambda m, x: x.reshape(-1, 4, 2, 4, 2, 4).permute(0, 2, 4, 1, 3, 5).reshape(-1, 4, 4, 4),
        # The batch is elsewhere, or no longer all of it.
        lambda m, x: x.transpose(0, 1).reshape(4, -1, 64).transpose(0, 1),
        # Channels unknown after a mixing reshape.
        lambda m, x: x.reshape(-1, 8, 4, 8),
        # Axes that are mixed or reversed in ways that are not followed.
        lambda m, x: torch.einsum("bchw,cd->bdhw", x, torch.eye(4)),
        lambda m, x: x.flip(1),
        # Views and powers of parameters do not depend on the input.
        lambda m, x: F.conv2d(x, m.scale.reshape(1, 4, 1, 1) * 2),
        # Other types.
        lambda m, x: x > 0,
        lambda m, x: x.to(torch.float64),
    ],
)  # fmt: skip
def test_what_is_no_point(function: Callable[[Any, Tensor], Tensor]) -> None:
    parts = {"last": nn.Linear(8, 8), "scale": nn.Parameter(torch.ones(4))}
    assert points(function, **parts) <= {"conv2d"}


# The rules on hand-made nodes, for what no sound model does.
IMAGE = (BATCH, 4, 8, 8)


def is_point(
    operation: str, *args: Any, shape: Any = IMAGE, before: Any = IMAGE, **other: Any
) -> bool:
    nodes = [
        Node("x", INPUT, shape=before, dtype="float32"),
        Node("w", "weight", shape=(4, 4, 1, 1), dtype="float32", path="w"),
        Node("y", operation, args, shape=shape, dtype="float32", **other),
    ]
    return "y" in find_points(nodes)


X, W = Ref("x"), Ref("w")


def test_the_input_is_no_point() -> None:
    assert find_points([Node("x", INPUT, shape=IMAGE, dtype="float32")]) == {}


def test_what_reads_no_input_is_none() -> None:
    assert is_point("aten.mul.Tensor", X, X)
    assert not is_point("aten.mul.Tensor", W, W)


def test_a_size_of_the_input_carries_no_content() -> None:
    nodes = [
        Node("x", INPUT, shape=IMAGE, dtype="float32"),
        Node("n", "aten.sym_size.int", (X, 0)),
        Node("y", "aten.expand.default", (W, (Ref("n"), 4)), shape=(BATCH, 4), dtype="float32"),
    ]
    assert find_points(nodes) == {}


def test_a_new_tensor_of_the_batch_carries_no_content() -> None:
    def positions(m: Any, x: Tensor) -> Tensor:
        return x.relu() + torch.ones(x.shape[0], 1, 8, 8).cumsum(2)

    assert points(positions) == {"relu", "add"}


@pytest.mark.parametrize(
    ("operation", "args"),
    [
        ("aten.roll.default", (X, (1,), (0,))),  # other samples in place of the own
        ("aten.roll.default", (X, (1,))),
        ("aten.flip.default", (X, (0,))),
        ("aten.softmax.int", (X, 0)),
        ("aten.cumsum.default", (X, 0)),
        ("aten.cat.default", ((X, X), 0)),
        ("aten.cat.default", ((X, X),)),
        ("aten.conv2d.default", (X, X)),  # weights that follow the input
        ("aten.linear.default", (W, X)),
        ("aten.batch_norm.default", (X, X)),
        ("aten.split.Tensor", (X, 1, 0)),
    ],
)
def test_what_mixes_samples_is_none(operation: str, args: tuple[Any, ...]) -> None:
    assert not is_point(operation, *args)


def test_a_part_of_the_batch_is_none() -> None:
    before = ("2*batch", 4, 8, 8)
    assert not is_point("aten.slice.Tensor", X, 0, 0, 2, before=before)
    assert is_point("aten.slice.Tensor", X, 1, 0, 2, shape=(BATCH, 2, 8, 8))


def test_expanding_to_more_axes_moves_the_batch() -> None:
    shape = (BATCH, 5, 8, 8)
    assert not is_point("aten.expand.default", X, (3, 5, -1), shape=shape, before=(BATCH, 8, 8))


def test_a_norm_drops_the_axes_that_it_names_third() -> None:
    norm, before = "aten.linalg_vector_norm.default", (BATCH, 4, 8)
    assert is_point(norm, X, 2, (2,), shape=(BATCH, 4), before=before)
    assert not is_point(norm, X, 2, (1,), shape=(BATCH, 8), before=before)


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        ((BATCH, 4), "float32", True),
        ((BATCH, 4, 8, 8), "float32", True),
        ((BATCH, 4, 8), "float32", False),
        ((BATCH, 4, 8, 8), "float64", False),
        ((BATCH, 4), None, False),
        (("2*batch", 4), "float32", False),
        ((4, 4), "float32", False),
        ((BATCH, BATCH), "float32", False),
        ((BATCH, 0), "float32", False),
        ((BATCH,), "float32", False),
        ((), "float32", False),
        (None, "float32", False),
    ],
)
def test_shapes_and_types_that_stitches_read(shape: Any, dtype: Any, expected: bool) -> None:
    assert stitchable(shape, dtype) is expected
