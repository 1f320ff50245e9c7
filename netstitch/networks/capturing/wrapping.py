"""A model as export is given it: with one tensor as input, below a name of our own.

Models take their input under any name, some through `*args`; and a submodule may have a name that
export's own modules need ("graph", "code"). Inside of `Whole` both are harmless.
"""

from keyword import iskeyword
from typing import Any

from torch import Tensor, nn

from netstitch.errors import CaptureError

_PLACE = "model"


class Whole(nn.Module):
    """A model of one input tensor, whatever its forward calls it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Any:
        return self.model(x)


def inner_path(path: str) -> str:
    """A path inside of `Whole` as the model's author knows it."""
    return path.removeprefix(_PLACE).removeprefix(".")


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside of `torch.compile` and data parallelism, which compute the same."""
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif isinstance(getattr(model, "_orig_mod", None), nn.Module):
            model = model._orig_mod  # type: ignore[assignment]
        else:
            return model


def check_names(title: str, model: nn.Module) -> None:
    """Raise CaptureError for a submodule that export cannot write code for."""
    for path, _ in model.named_modules():
        if any(iskeyword(part) for part in path.split(".")):
            raise CaptureError(
                f"{title}: submodule {path!r} is named like a Python keyword, which torch.export "
                "cannot take; rename it"
            )
