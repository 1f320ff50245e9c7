"""Checks of models and example batches, with what to give instead of what cannot be captured.

They come before anything is traced, so that messages speak of what the user gave.
"""

from keyword import iskeyword

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from netstitch.errors import CaptureError

_QUANTISED = (".quantized", ".qat", ".fake_quantize", ".observer")
_FLOAT = "give the model in float32, as it was before, and quantise what is exported instead"
_PYTHON = (
    "give the Python model that it was made from; weights can be had from it, "
    "model.load_state_dict(scripted.state_dict())"
)


def check_model(model: object) -> None:
    """Raise CaptureError, with what to give instead, for anything but a module."""
    if isinstance(model, nn.Module):
        return
    kind = type(model).__name__
    instead = f"a {kind}: build the model first"
    if isinstance(model, type):
        instead = f"the class {model.__name__}: give an instance of it, {model.__name__}(...)"
    elif isinstance(model, torch.jit.ScriptFunction):
        instead = f"a TorchScript function: {_PYTHON}"
    elif isinstance(model, ExportedProgram):
        instead = "an ExportedProgram: give the module that it was exported from"
    elif isinstance(model, dict):
        instead += ", and give its weights, if these are them, to model.load_state_dict(...)"
    elif isinstance(model, str):
        instead = f"the text {model[:80]!r}: build the model first, and give the module"
    elif callable(model):
        instead += ", or write a module whose forward calls it"
    raise CaptureError(f"capture takes a torch.nn.Module, got {instead}")


def check_parts(model: nn.Module) -> None:
    """Raise CaptureError for TorchScript, quantised parts, and weights without values."""
    for path, part in model.named_modules():
        where = f"submodule {path!r}" if path else "the model"
        if any(iskeyword(name) for name in path.split(".")):
            raise CaptureError(
                f"{where} is named like a Python keyword, which torch.export cannot take; rename it"
            )
        if isinstance(part, torch.jit.ScriptModule):
            raise CaptureError(
                f"{where} is a TorchScript module (torch.jit), which cannot be captured; {_PYTHON}"
            )
        home = type(part).__module__
        if home.startswith("torch.ao.") and any(word in home for word in _QUANTISED):
            what = type(part).__name__
            raise CaptureError(f"{where} is quantised, or prepared for it ({what}); {_FLOAT}")
        tensors = [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
        for key, tensor in tensors:
            if fault := _fault_of(tensor):
                raise CaptureError(f"{where} holds {key!r}, which {fault}")


def _fault_of(tensor: Tensor) -> str | None:
    """Return why a tensor can be no weight of a captured network, and what to do."""
    kind, home = type(tensor).__name__, type(tensor).__module__
    wrapper = is_traceable_wrapper_subclass(tensor)
    packed = home.partition(".")[0] == "bitsandbytes" or (wrapper and "quant" in kind.lower())
    if tensor.is_quantized or packed:
        return f"is quantised ({tensor.dtype if tensor.is_quantized else kind}); {_FLOAT}"
    if wrapper:
        return f"is a {kind}; expected plain tensors as weights"
    if torch.nn.parameter.is_lazy(tensor):
        return "has no size yet (lazy); run the model once on the example first"
    if tensor.is_meta:
        return "has no values (it is on the device 'meta'); load the model's weights"
    return None


def batch_second(model: nn.Module) -> str | None:
    """Return words on a layer that reads dimension 1 as the batch, and a remedy; None without."""
    for path, part in model.named_modules():
        kinds = (nn.RNNBase, nn.MultiheadAttention)
        if isinstance(part, kinds) and not part.batch_first:
            return (
                f"submodule {path!r} ({type(part).__name__}) takes the batch to be dimension 1; "
                "build it with batch_first=True, or transpose its input and output"
            )
    return None


def check_example(model: nn.Module, example: object) -> Tensor:
    """Return the example as float32 with two samples or more, detached.

    Raises:
        CaptureError: with what to give instead, for anything but one finite batch of
            floating-point numbers on the model's device.
    """
    if not isinstance(example, Tensor):
        raise CaptureError(_example_instead(example))
    if not example.is_floating_point():
        kind = str(example.dtype).removeprefix("torch.")
        raise CaptureError(
            f"the example is {kind}; expected floating-point inputs: give them as the model reads "
            "them, normalised, or example.float() (models of token numbers cannot be captured)"
        )
    if example.ndim < 2 or len(example) == 0:
        raise CaptureError(
            f"the example has shape {tuple(example.shape)}; expected at least one sample and one "
            "further dimension: give a batch, example.unsqueeze(0) makes one of a sample"
        )
    devices = {parameter.device for parameter in model.parameters()}
    if example.is_meta or (devices and example.device not in devices):
        home = min(map(str, devices), default="cpu")
        raise CaptureError(
            f"the example is on the device {str(example.device)!r} and the model on {home!r}; give "
            "one that has values there"
        )
    if not torch.isfinite(example).all():
        raise CaptureError("the example holds NaN or infinity; give a finite one")
    # Export takes a size of 1 as fixed.
    example = example.detach().to(torch.float32).clone()
    return torch.cat([example, example]) if len(example) == 1 else example


def _example_instead(example: object) -> str:
    if example is None:
        return (
            "capture needs an example as its second argument; expected a batch of the model's "
            "inputs, such as torch.rand(2, 3, 224, 224)"
        )
    way = ""
    if type(example).__module__.partition(".")[0] == "numpy":
        way = ": give torch.from_numpy(example)"
    elif isinstance(example, tuple | list) and example:
        if all(isinstance(size, int) for size in example):
            way = ": if it is a shape, give torch.rand(*example)"
        elif isinstance(example[0], Tensor):
            way = ": give the inputs alone, example[0]"
    elif hasattr(example, "__iter__") and not isinstance(example, str | dict | tuple | list):
        way = ": if it gives batches, give the inputs of one, next(iter(...))"
    kind = type(example).__name__
    return f"the example is a {kind}; expected one tensor whose dimension 0 is the batch{way}"
