"""The example batch that a model is captured with."""

from typing import Any

import torch
from torch import Tensor, nn

from netstitch.errors import CaptureError


def check_example(title: str, model: nn.Module, example: Any) -> Tensor:
    """Return the example as float32 with two samples or more, detached.

    Raises CaptureError, with what to give instead, for anything but one finite batch of
    floating-point numbers on the model's device.
    """
    if not isinstance(example, Tensor):
        raise CaptureError(f"{title}: {_instead(example)}")
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


def _instead(example: Any) -> str:
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
