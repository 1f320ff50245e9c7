"""The device that evaluations run on."""

import torch

from netstitch.errors import SearchError


def usable_device(name: str) -> torch.device:
    """The device of a name such as "cpu" or "cuda:0", once a tensor could be put on it.

    Raises SearchError when PyTorch knows no such device, or this machine has none.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
        raise SearchError(
            f"evaluations cannot run on device {name!r} ({reason}); expected one that this "
            "machine has, such as 'cpu'"
        ) from error
    return device
