"""The numerical form of evaluations: device, memory layout, batch size, fusing and precision.

Batches run side by side, each on one core. That is exact (a batch's result does not depend on the
others), and unlike threads inside every operation it loses nothing where operations are small or
cores are busy with something else.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from netstitch.errors import SearchError
from netstitch.files.alignment import aligned

Precision = Literal["float32", "bfloat16", "float16"]
FULL: Precision = "float32"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class NumericsConfig:
    """The numerical form in which samples are run.

    Without fusing and in float32, results are bit for bit those of the subnetwork's own operations
    in this layout and batch size. Each form's results depend on the form and on nothing else.

    Attributes:
        channels_last: Whether channels stand behind the pixels in memory, or before them.
        batch: Samples run together.
        workers: Batches run side by side.
        fused: Whether operations are joined where that is equal up to rounding.
        precision: Of weights and activations that are float32. Averages of several networks'
            outputs are float32 in any case.
    """

    channels_last: bool
    batch: Annotated[int, Field(ge=1, le=2**31)]
    workers: Annotated[int, Field(ge=1, le=2**31)]
    fused: bool = False
    precision: Precision = FULL

    @property
    def exact(self) -> "NumericsConfig":
        """The same with the subnetwork's own operations."""
        return replace(self, fused=False, precision=FULL)

    def arrange(self, tensor: Tensor) -> Tensor:
        """Return the tensor in this precision and memory layout, in aligned memory."""
        if self.precision != FULL and tensor.dtype == torch.float32:
            tensor = tensor.to(DTYPES[self.precision])
        if self.channels_last and tensor.ndim == 4:
            # `contiguous` would leave tensors of one channel as they are, since both layouts fit
            # them, and convolutions would follow their strides back to channels first.
            return aligned(tensor.to(memory_format=torch.channels_last))
        return aligned(tensor.contiguous())

    def rounds(self, samples: int) -> int:
        """Return the number of rounds, of a batch for each worker, until all samples are done."""
        batches = -(-samples // self.batch)
        return -(-batches // self.workers)


def usable_device(name: str, precision: Precision = FULL) -> torch.device:
    """Return the device of a name such as "cuda:0", after a test convolution in that precision.

    Raises:
        SearchError: PyTorch knows no such device, this machine has none, or it lacks the precision.
    """
    try:
        device = torch.device(name)
        image = torch.zeros(1, 1, 3, 3, dtype=DTYPES[precision], device=device)
        functional.conv2d(image, image).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
        raise SearchError(
            f"evaluations cannot run on device {name!r} in {precision} ({reason}); expected one "
            "that this machine has, such as 'cpu', and a precision of it, such as 'float32'"
        ) from error
    return device
