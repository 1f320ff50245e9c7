"""The numerical form in which a supernet is evaluated, measured on this machine."""

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from netstitch.evaluation.evaluator import TOGETHER, arranged_weights
from netstitch.evaluation.numerics import (
    BATCHES,
    FULL,
    SMALL,
    NumericsConfig,
    Precision,
    fastest_numerics,
)
from netstitch.evaluation.runtime.execution_plan import execute
from netstitch.evaluation.runtime.schedule import Schedule
from netstitch.files.alignment import aligned_weights
from netstitch.networks.interpreter import make_plan, peak_bytes
from netstitch.supernet.supernet import Supernet
from netstitch.threads import available_cores


def measure_numerics(
    supernet: Supernet,
    inputs: Tensor,
    *,
    batches: Sequence[int] | None = None,
    workers: int | None = None,
    device: torch.device | str = "cpu",
    fused: bool = False,
    precision: Precision = FULL,
    clock: Callable[[], float] = time.perf_counter,
) -> NumericsConfig:
    """The fastest form for the most expensive reference network, run as evaluations are.

    inputs: the samples (n, ...) that will be evaluated on. batches: sizes to choose from; by
    default those of BATCHES that memory has room for, or the largest smaller one. workers: batches
    run side by side, by default one for each core, and one alone on a device that is not the CPU.
    fused, precision: of the form, see `NumericsConfig`.
    """
    if workers is None and torch.device(device).type != "cpu":
        workers = 1
    genotype = max(supernet.references().values(), key=supernet.macs)

    if batches is None:
        graph = supernet.pruned_graph(genotype)
        side_by_side = workers or available_cores()
        plan = make_plan([graph], aligned_weights(supernet.tensors()))
        batches = roomy(peak_bytes(plan) * side_by_side)

    def prepare(form: NumericsConfig) -> Callable[[Tensor], object]:
        weights = arranged_weights(supernet, form, device)
        plan = Schedule(supernet, weights, form.fused, form.precision).plan([genotype])

        def run(batch: Tensor) -> list[Tensor]:
            # Copying results back also waits for a device that works by itself.
            return [value.cpu() for value in execute(plan, batch.to(device)).values()]

        return run

    return fastest_numerics(
        prepare,
        inputs,
        batches=batches,
        workers=workers,
        fused=fused,
        precision=precision,
        clock=clock,
    )


def roomy(peak: int) -> Sequence[int]:
    """Batch sizes to choose from where a sample of each worker's takes so many bytes in all."""
    fitting = [size for size in BATCHES if size * peak <= TOGETHER]
    if fitting:
        return fitting
    return [max((size for size in SMALL if size * peak <= TOGETHER), default=1)]
