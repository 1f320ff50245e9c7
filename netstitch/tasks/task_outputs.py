"""Outputs of networks: a tensor, or a dictionary of which a task uses one entry."""

from collections.abc import Mapping

import torch
from torch import Tensor

from netstitch.errors import DataError

Outputs = Tensor | Mapping[str, Tensor]


def select(outputs: Outputs, key: str | None) -> Tensor:
    """Return the tensor that a task looks at.

    A tensor is returned as it is. Of a dictionary, the entry `key`; where key is None, the only
    entry.

    Raises:
        DataError: When that names no entry.
    """
    if isinstance(outputs, Tensor):
        return outputs
    keys = ", ".join(repr(name) for name in outputs) or "none"
    if key is None:
        if len(outputs) != 1:
            raise DataError(
                f"the networks' outputs have {len(outputs)} keys ({keys}) and the task names none "
                "of them; set the task's output to the one it measures"
            )
        return next(iter(outputs.values()))
    if key not in outputs:
        raise DataError(
            f"the networks' outputs have no key {key!r}; they have {keys}, "
            "set the task's output to one of these"
        )
    return outputs[key]


def nonfinite(outputs: Tensor) -> Tensor:
    """Return (n,) bool: the samples whose outputs, (n, ...), hold NaN or infinity."""
    return (~torch.isfinite(outputs)).reshape(len(outputs), -1).any(1)


def check_finite(outputs: Tensor) -> None:
    """Raise DataError, naming the first sample, where (n, ...) outputs hold NaN or infinity."""
    bad = nonfinite(outputs).nonzero()
    if len(bad):
        raise DataError(
            f"NaN or infinity in the outputs of {len(bad)} of {len(outputs)} samples, the first is "
            f"sample {int(bad[0])}; expected finite numbers, choose another subnetwork or fit its "
            "stitches again"
        )
