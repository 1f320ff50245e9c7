"""Checks of models and example batches, with what to give instead of what cannot be captured.

They come before anything is traced, so that messages speak of what the user gave.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from netstitch.errors import CaptureError
from netstitch.networks.capturing.exportable import unwrapped

_QUANTISED = (".quantized", ".qat", ".fake_quantize", ".observer")
_FLOAT = "give the model in float32, as it was before, and quantise what is exported instead"
_PYTHON = (
    "give the Python model that it was made from; weights can be had from it, "
    "model.load_state_dict(scripted.state_dict())"
)


def check_model(model: Any, name: str | None) -> tuple[str, nn.Module]:
    """Return a model's name, on one line, and the module inside of wrappers.

    Raises:
        CaptureError: with what to give instead, for anything but a module, for TorchScript,
            quantised models, and weights without values.
    """
    if not isinstance(model, nn.Module):
        raise CaptureError(f"capture takes a torch.nn.Module, got {_model_instead(model)}")
    module = unwrapped(model)
    title = " ".join(str(name or type(module).__name__).split())
    for path, part in module.named_modules():
        _check_part(title, f" (submodule {path!r})" if path else "", part)
    return title, module


def batch_second(model: nn.Module) -> str | None:
    """Return which layer reads dimension 1 as the batch, and what to do; None if there is none."""
    for path, part in model.named_modules():
        kinds = (nn.RNNBase, nn.MultiheadAttention)
        if isinstance(part, kinds) and not part.batch_first:
            return (
                f"submodule {path!r} ({type(part).__name__}) takes the batch to be dimension 1; "
                "build it with batch_first=True, or transpose its input and output"
            )
    return None


def _model_instead(model: Any) -> str:
    if isinstance(model, type):
        return f"the class {model.__name__}: give an instance of it, {model.__name__}(...)"
    if isinstance(model, torch.jit.ScriptFunction):
        return f"a TorchScript function: {_PYTHON}"
    if isinstance(model, ExportedProgram):
        return "an ExportedProgram: give the module that it was exported from"
    if isinstance(model, dict):
        return (
            f"a {type(model).__name__}: if these are its weights, build the model first and give "
            "them to model.load_state_dict(...)"
        )
    if isinstance(model, str):
        return f"the text {model[:80]!r}: build the model first, and give the module"
    kind = type(model).__name__
    if callable(model):
        return f"a {kind}: build the model first, or write a module whose forward calls it"
    return f"a {kind}: build the model first"


def _check_part(title: str, where: str, part: nn.Module) -> None:
    if isinstance(part, torch.jit.ScriptModule):
        raise CaptureError(
            f"{title}{where} is a TorchScript module (torch.jit), which cannot be captured; "
            f"{_PYTHON}"
        )
    home = type(part).__module__
    if home.startswith("torch.ao.") and any(word in home for word in _QUANTISED):
        what = type(part).__name__
        raise CaptureError(f"{title}{where} is quantised, or prepared for it ({what}); {_FLOAT}")
    tensors = [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
    for key, tensor in tensors:
        _check_tensor(title, f"{where}, {key!r}", tensor)


def _check_tensor(title: str, where: str, tensor: Tensor) -> None:
    kind, home = type(tensor).__name__, type(tensor).__module__
    wrapper = is_traceable_wrapper_subclass(tensor)
    packed = home.partition(".")[0] == "bitsandbytes" or (wrapper and "quant" in kind.lower())
    if tensor.is_quantized or packed:
        what = str(tensor.dtype) if tensor.is_quantized else kind
        raise CaptureError(f"{title}{where} is quantised ({what}); {_FLOAT}")
    if wrapper:
        raise CaptureError(f"{title}{where} is a {kind}; expected plain tensors as weights")
    if torch.nn.parameter.is_lazy(tensor):
        raise CaptureError(
            f"{title}{where} has no size yet (lazy); run the model once on the example first"
        )
    if tensor.is_meta:
        raise CaptureError(
            f"{title}{where} has no values (it is on the device 'meta'); load the model's weights"
        )


def check_example(title: str, model: nn.Module, example: Any) -> Tensor:
    """Return the example as float32 with two samples or more, detached.

    Raises:
        CaptureError: with what to give instead, for anything but one finite batch of
            floating-point numbers on the model's device.
    """
    if not isinstance(example, Tensor):
        raise CaptureError(f"{title}: {_example_instead(example)}")
    if not example.is_floating_point():
        kind = str(example.dtype).removeprefix("torch.")
        raise CaptureError(
            f"{title}: the example is {kind}; expected floating-point inputs: give them as the "
            "model reads them, normalised, or example.float() (models of token numbers cannot be "
            "captured)"
        )
    if example.ndim < 2 or len(example) == 0:
        raise CaptureError(
            f"{title}: the example has shape {tuple(example.shape)}; expected at least one sample "
            "and one further dimension: give a batch, example.unsqueeze(0) makes one of a sample"
        )
    if example.is_meta:
        raise CaptureError(
            f"{title}: the example is on the device 'meta' and has no values; give one that has"
        )
    if not torch.isfinite(example).all():
        raise CaptureError(f"{title}: the example holds NaN or infinity; give a finite one")
    devices = {parameter.device for parameter in model.parameters()}
    if devices and example.device not in devices:
        home = min(map(str, devices))
        raise CaptureError(
            f"{title}: the example is on {example.device} and the model on {home}; give "
            f"example.to({home!r})"
        )
    # Export takes a size of 1 as fixed.
    example = example.detach().to(torch.float32).clone()
    return torch.cat([example, example]) if len(example) == 1 else example


def _example_instead(example: Any) -> str:
    expected = "expected one tensor whose dimension 0 is the batch"
    if example is None:
        return (
            "capture needs an example as its second argument; expected a batch of the model's "
            "inputs, such as torch.rand(2, 3, 224, 224)"
        )
    what = f"the example is a {type(example).__name__}"
    if type(example).__module__.partition(".")[0] == "numpy":
        return f"{what}; {expected}: give torch.from_numpy(example)"
    if isinstance(example, tuple | list) and example:
        if all(isinstance(size, int) for size in example):
            return f"{what} of numbers; {expected}: if it is a shape, give torch.rand(*example)"
        if isinstance(example[0], Tensor):
            return f"{what} of tensors; {expected}: give the inputs alone, example[0]"
    if hasattr(example, "__iter__") and not isinstance(example, str | dict | tuple | list):
        return f"{what}; {expected}: if it gives batches, give the inputs of one, next(iter(...))"
    return f"{what}; {expected}"
