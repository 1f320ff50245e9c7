"""The error of a model that cannot be captured: one line with the thing and the place."""

from collections.abc import Callable
from threading import Lock
from typing import Any

import pytest
import torch
from networks_examples import Model, captured, message, rows
from torch import Tensor, nn
from torch.nn import functional as F

from netstitch.errors import CaptureError
from netstitch.networks import capture

HERE = __file__
TWO_LINES = "first line\nsecond line"


def refused(function: Callable[[Any, Tensor], Any], **parts: Any) -> str:
    with pytest.raises(CaptureError) as caught:
        captured(function, rows(3), **parts)
    text = message(caught.value)
    assert text.startswith("example")
    return text


def branching(m: Model, x: Tensor) -> Tensor:
    if x.sum() > 0:  # the data decides
        return x
    return -x


def fixed_reshape(m: Model, x: Tensor) -> Tensor:
    return x.reshape(3, 4) * 2


def batch_branch(m: Model, x: Tensor) -> Tensor:
    return x * 2 if x.shape[0] > 2 else x


def batch_loop(m: Model, x: Tensor) -> Tensor:
    return torch.stack([x[i] * 2 for i in range(x.shape[0])])


def raising(m: Model, x: Tensor) -> Tensor:
    raise ValueError(TWO_LINES)


def numpy_inside(m: Model, x: Tensor) -> Tensor:
    return torch.from_numpy(x.numpy())


def test_control_flow_on_data_names_file_line_and_code() -> None:
    text = refused(branching)
    line = branching.__code__.co_firstlineno + 1
    assert f"{HERE}:{line}: `if x.sum() > 0:" in text
    assert "control flow depends on the data" in text


@pytest.mark.parametrize("function", [fixed_reshape, batch_branch, batch_loop])
def test_a_fixed_batch_size_names_the_line(function: Callable[[Any, Tensor], Tensor]) -> None:
    text = refused(function)
    assert f"{HERE}:{function.__code__.co_firstlineno + 1}: `return" in text
    assert "fixes the batch size" in text


@pytest.mark.parametrize("function", [raising, numpy_inside])
def test_an_exception_in_the_model_names_its_line(function: Callable[[Any, Tensor], Any]) -> None:
    assert f"{HERE}:{function.__code__.co_firstlineno + 1}: `" in refused(function)


def test_only_the_first_line_of_an_exception_is_told() -> None:
    text = refused(raising)
    assert "first line" in text
    assert "second line" not in text


class WithLine(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Any:
        if self.kind == "svd":
            return torch.linalg.svd(x)[1]  # svd
        if self.kind == "nonzero":
            return torch.nonzero(x)  # nonzero
        if self.kind == "mask":
            return x[x > 0]  # mask
        if self.kind == "dropout":
            return F.dropout(x, 0.5, training=True)  # dropout
        if self.kind == "attention":
            y = x[:, None]
            return F.scaled_dot_product_attention(y, y, y, dropout_p=0.5)  # attention
        if self.kind == "cond":
            return torch.cond(x.sum() > 0, torch.sin, torch.cos, (x,))  # cond
        return x + torch.rand(4)  # rand


@pytest.mark.parametrize(
    ("kind", "operation", "reason"),
    [
        ("svd", "aten.linalg_svd.default", "is not supported"),
        ("nonzero", "aten.nonzero.default", "is not supported"),
        ("mask", "aten.index.Tensor", "depends on the data"),
        ("cond", "cond", "is not supported"),
        ("dropout", "aten.native_dropout.default", "random"),
        ("attention", "aten.scaled_dot_product_attention.default", "random"),
        ("rand", "aten.rand.default", "random"),
    ],
)
def test_an_operation_that_cannot_be_used_is_named_with_its_line(
    kind: str, operation: str, reason: str
) -> None:
    with pytest.raises(CaptureError) as caught:
        capture(WithLine(kind), rows(3))
    text = message(caught.value)
    assert operation in text
    assert reason in text
    assert HERE in text
    assert f"# {kind}" in text


def test_two_inputs() -> None:
    class Two(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    with pytest.raises(CaptureError, match="one input tensor"):
        capture(Two(), rows())


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        (torch.zeros(2, 4, dtype=torch.int64), "floating-point"),
        (torch.zeros(2, 4, dtype=torch.complex64), "floating-point"),
        (torch.zeros(0, 4), "at least one sample"),
        (torch.zeros(4), "one further dimension"),
        (torch.full((2, 4), float("nan")), "NaN or infinity"),
        ([1.0, 2.0], "expected one tensor"),
        (torch.zeros(2, 5), "cannot be exported"),
    ],
)
def test_an_unsuitable_example(example: Any, reason: str) -> None:
    with pytest.raises(CaptureError, match=reason) as caught:
        capture(nn.Linear(4, 4), example)
    message(caught.value)


def test_something_that_is_no_module() -> None:
    with pytest.raises(CaptureError, match=r"torch\.nn\.Module"):
        capture(lambda x: x, rows())  # type: ignore[arg-type]


def test_a_model_that_cannot_be_copied() -> None:
    layer = nn.Linear(4, 4)
    layer.lock = Lock()  # type: ignore[assignment]
    with pytest.raises(CaptureError, match="cannot be copied and frozen") as caught:
        capture(layer, rows())
    message(caught.value)


def test_a_lazy_model_is_asked_to_be_run_once() -> None:
    with pytest.raises(CaptureError, match="run the model once") as caught:
        capture(nn.LazyLinear(4), rows())
    message(caught.value)


def test_a_submodule_named_like_a_keyword() -> None:
    parts = nn.ModuleDict({"class": nn.Linear(4, 4)})
    assert "'parts.class'" in refused(lambda m, x: m.parts["class"](x), parts=parts)


def test_names_of_several_lines_stay_one_line() -> None:
    with pytest.raises(CaptureError) as caught:
        capture(Model(branching), rows(), name="a\nb")
    assert message(caught.value).startswith("a b: ")
