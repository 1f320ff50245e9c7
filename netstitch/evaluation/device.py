"""The device that evaluations run on."""

import torch
from torch.nn import functional

from netstitch.errors import SearchError
from netstitch.evaluation.numerics import DTYPES, Precision


def usable_device(name: str) -> torch.device:
    """The device of a name such as "cpu" or "cuda:0", once a tensor could be put on it.

    Raises SearchError when PyTorch knows no such device, or this machine has none.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise SearchError(
            f"evaluations cannot run on device {name!r} ({_reason(error)}); expected one that this "
            "machine has, such as 'cpu'"
        ) from error
    return device


def check_precision(device: torch.device, precision: Precision) -> None:
    """Raise SearchError when the device cannot convolve in this precision."""
    image = torch.zeros(1, 1, 3, 3, dtype=DTYPES[precision], device=device)
    try:
        functional.conv2d(image, image).cpu()
    except (RuntimeError, NotImplementedError) as error:
        raise SearchError(
            f"evaluations cannot run in {precision} on device {str(device)!r} ({_reason(error)}); "
            "give another precision, such as 'float32'"
        ) from error


def _reason(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
