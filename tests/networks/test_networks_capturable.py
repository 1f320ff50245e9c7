"""Things that cannot be captured are named, with what to give instead."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from networks_examples import TinyCNN, images, message
from torch import nn

from netstitch.errors import CaptureError
from netstitch.networks import capture


def refused(model: Any) -> str:
    with pytest.raises(CaptureError) as caught:
        capture(model, images())
    return message(caught.value)


def statically_quantised(prepare: bool = False) -> nn.Module:
    torch.backends.quantized.engine = torch.backends.quantized.supported_engines[-1]
    quantization = torch.ao.quantization
    model = nn.Sequential(
        quantization.QuantStub(), nn.Conv2d(3, 4, 8), quantization.DeQuantStub(), nn.Flatten()
    ).eval()
    model.qconfig = quantization.get_default_qconfig("x86")
    prepared = quantization.prepare(model)
    prepared(images())
    return prepared if prepare else quantization.convert(prepared)


class Packed(torch.Tensor):
    """A tensor that stands for another, as libraries of quantised weights have them."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "Packed":
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=torch.float32)

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["inner"], None

    @staticmethod
    def __tensor_unflatten__(parts: dict[str, torch.Tensor], *_: Any) -> "Packed":
        return Packed(parts["inner"])

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), _: Any = None) -> Any:
        if function is torch.ops.aten.detach.default:
            return args[0]
        raise NotImplementedError


class QuantizedTensor(Packed):
    pass


def holding(tensor: torch.Tensor) -> nn.Module:
    layer = nn.Linear(4, 4)
    layer.weight = nn.Parameter(tensor, requires_grad=False)
    return nn.Sequential(layer)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.ao.quantization.quantize_dynamic(TinyCNN().eval(), {nn.Linear}),
        statically_quantised,
        lambda: statically_quantised(prepare=True),
        lambda: holding(QuantizedTensor(torch.zeros(4, 4, dtype=torch.int8))),
    ],
)
def test_a_quantised_model_says_so_and_asks_for_the_one_before(make: Callable[[], Any]) -> None:
    text = refused(make())
    assert "quantised" in text
    assert "float32" in text


def test_other_tensors_that_are_no_plain_ones_are_named() -> None:
    assert "'weight', which is a Packed; expected plain tensors" in refused(
        holding(Packed(torch.ones(1)))
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.jit.script(TinyCNN()),
        lambda: torch.jit.trace(TinyCNN().eval(), images()),
        lambda: nn.Sequential(torch.jit.script(TinyCNN())),
        lambda: torch.jit.script(lambda_free),
    ],
)
def test_torchscript_says_so_and_asks_for_the_python_model(make: Callable[[], Any]) -> None:
    text = refused(make())
    assert "TorchScript" in text
    assert "Python model" in text


def lambda_free(x: torch.Tensor) -> torch.Tensor:
    return x * 2


def test_a_class_a_function_and_what_else_is_no_module() -> None:
    assert "the class TinyCNN: give an instance of it, TinyCNN(...)" in refused(TinyCNN)
    assert "write a module whose forward calls it" in refused(lambda_free)
    assert "load_state_dict" in refused(TinyCNN().state_dict())
    assert "the text 'resnet18'" in refused("resnet18")
    assert "build the model first" in refused(None)
    program = torch.export.export(TinyCNN().eval(), (images(),))
    assert "the module that it was exported from" in refused(program)


def test_weights_without_values_are_named() -> None:
    with torch.device("meta"):
        model = TinyCNN()
    assert "'0' holds 'weight', which has no values" in refused(model.stem)
    assert "run the model once on the example" in refused(nn.Sequential(nn.LazyConv2d(4, 3)))


def test_models_that_are_as_good_as_plain_ones() -> None:
    torch.manual_seed(0)
    model = TinyCNN().eval()
    expected = model(images(3))
    for given in (nn.DataParallel(model), torch.fx.symbolic_trace(model), capture(model, images())):
        torch.testing.assert_close(capture(given, images())(images(3)), expected)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: nn.LSTM(8, 4), "LSTM"),
        (lambda: nn.MultiheadAttention(8, 2), "MultiheadAttention"),
    ],
)
def test_a_layer_that_takes_the_batch_second_is_named(make: Callable[[], Any], kind: str) -> None:
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = make()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.part(x, x, x)[0] if kind != "LSTM" else self.part(x)[0]

    with pytest.raises(CaptureError, match=rf"'part' \({kind}\) .*batch_first=True") as caught:
        capture(Reads(), torch.randn(3, 5, 8))
    message(caught.value)


# -- example batches


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
