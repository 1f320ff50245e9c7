"""The numerical form of evaluations: memory layout, batch size, precision; measured once a run.

On a CPU the same network may run several times slower in the wrong form, and which one is right
depends on the machine; so candidates are timed on a few samples.

Batches run side by side, each on one core. That is exact (a batch's result does not depend on the
others), and unlike threads inside every operation it loses nothing where operations are small or
cores are busy with something else.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from netstitch.files.alignment import aligned
from netstitch.threads import available_cores, threads

Precision = Literal["float32", "bfloat16", "float16"]
FULL: Precision = "float32"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

BATCHES = (32, 64, 128, 256)
SMALL = (1, 2, 4, 8, 16)
"""Batches of large images, of which no more fit into memory."""
SAMPLES = 256
"""Samples that each candidate is timed on, at most."""
SECONDS = 2.0
"""Of timing a candidate, after which no further batch is run."""


@dataclass(frozen=True)
class NumericsConfig:
    """How samples are run.

    channels_last: channels behind the pixels in memory, or before them.
    batch: samples run together. workers: batches run side by side.
    fused: whether operations are joined where that is equal up to rounding (see `fusing.py`).
    precision: of weights and activations that are float32. Averages of several networks' outputs
        are float32 in any case.

    Without fusing and in float32, results are bit for bit those of the subnetwork's own operations
    in this layout and batch size. Each form's results depend on the form and on nothing else.
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
        """The tensor in this form's precision and memory layout, in aligned memory."""
        if self.precision != FULL and tensor.dtype == torch.float32:
            tensor = tensor.to(DTYPES[self.precision])
        if self.channels_last and tensor.ndim == 4:
            # `contiguous` would leave tensors of one channel as they are, since both layouts fit
            # them, and convolutions would follow their strides back to channels first.
            return aligned(tensor.to(memory_format=torch.channels_last))
        return aligned(tensor.contiguous())

    def rounds(self, samples: int) -> int:
        """How often the workers run a batch each until all samples are done."""
        batches = -(-samples // self.batch)
        return -(-batches // self.workers)


def fastest_numerics(
    prepare: Callable[[NumericsConfig], Callable[[Tensor], object]],
    inputs: Tensor,
    *,
    batches: Sequence[int] = BATCHES,
    workers: int | None = None,
    fused: bool = False,
    precision: Precision = FULL,
    clock: Callable[[], float] = time.perf_counter,
) -> NumericsConfig:
    """The fastest form for a network on this machine, from a timed pass of each candidate.

    prepare: gives the network for a form, its weights laid out like the activations, as they will
        be in evaluations: convolutions follow the layout of either.
    inputs: samples (n, ...); the first SAMPLES of them are run, or as many batches as take SECONDS,
        and what all of them would take decides. workers: batches run side by side, by default one
        for each core. fused, precision: of the form.
    """
    workers = workers or available_cores()
    sample = inputs[:SAMPLES]
    sizes = [size for size in batches if size <= len(sample)] or [len(sample)]
    layouts = (True, False) if inputs.ndim == 4 else (False,)
    forms = [
        NumericsConfig(*chosen, workers, fused, precision) for chosen in product(layouts, sizes)
    ]
    best, least = forms[0], float("inf")
    with torch.inference_mode(), threads(1):
        for form in forms:
            run = prepare(form)
            parts = [form.arrange(part) for part in torch.split(sample, form.batch)]
            run(parts[0])  # the first call of a shape also chooses kernels
            started, seconds = clock(), 0.0
            for count, part in enumerate(parts, 1):
                run(part)
                seconds = (clock() - started) / count * form.rounds(len(inputs))
                if clock() - started > SECONDS:
                    break
            if seconds < least:
                best, least = form, seconds
    return best
