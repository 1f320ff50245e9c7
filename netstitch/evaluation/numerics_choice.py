"""The choice of memory layout and batch size, measured once a run.

On a CPU the same network may run several times slower in the wrong layout or batch size, and which
are right depends on the machine; so candidates are timed on a few samples.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

import torch
from torch import Tensor

from netstitch.evaluation.evaluator import TOGETHER, arranged_weights
from netstitch.evaluation.numerics import FULL, NumericsConfig, Precision
from netstitch.evaluation.runtime.schedule import Schedule, execute
from netstitch.files.alignment import aligned_weights
from netstitch.networks.content import united
from netstitch.networks.interpreter import make_interpreter
from netstitch.supernet.supernet import Supernet
from netstitch.threads import available_cores, threads

BATCHES = (32, 64, 128, 256)
SMALL = (1, 2, 4, 8, 16)
"""Batches of large images, of which no more fit into memory."""
SAMPLES = 256
"""Samples that each candidate is timed on, at most."""
SECONDS = 2.0
"""Seconds of timing a candidate, after which no further batch is run."""


def measure_numerics(
    supernet: Supernet,
    inputs: Tensor,
    *,
    batches: Sequence[int] | None = None,
    workers: int | None = None,
    device: torch.device | str = "cpu",
    fused: bool = False,
    precision: Precision = FULL,
) -> NumericsConfig:
    """Return the fastest form for the most expensive reference network, run as evaluations are.

    Args:
        supernet: Whose genotypes will be evaluated.
        inputs: The samples (n, ...) that they will be evaluated on.
        batches: Sizes to choose from; by default those of BATCHES that memory has room for, or the
            largest smaller one.
        workers: Batches run side by side; by default one for each core, and one alone on a device
            that is not the CPU.
        device: Where subnetworks run.
        fused: Of the form; see `NumericsConfig`.
        precision: Of the form.
    """
    if workers is None:
        workers = available_cores() if torch.device(device).type == "cpu" else 1
    genotype = max(supernet.references().values(), key=supernet.macs)
    if batches is None:
        graph = united([supernet.pruned_graph(genotype)])
        peak = make_interpreter(graph, aligned_weights(supernet.tensors())).peak
        batches = _roomy(peak * workers)

    def prepare(form: NumericsConfig) -> Callable[[Tensor], object]:
        weights = arranged_weights(supernet, form, device)
        plan = Schedule(supernet, weights, form.fused, form.precision).plan([genotype])

        def run(batch: Tensor) -> list[Tensor]:
            [outputs] = execute(plan, batch.to(device))
            # Copying results back also waits for a device that works by itself.
            return [value.cpu() for value in outputs.values()]

        return run

    first = NumericsConfig(False, 1, workers, fused, precision)
    return fastest_numerics(prepare, inputs, first, batches)


def fastest_numerics(
    prepare: Callable[[NumericsConfig], Callable[[Tensor], object]],
    inputs: Tensor,
    like: NumericsConfig,
    batches: Sequence[int] = BATCHES,
    clock: Callable[[], float] = time.perf_counter,
) -> NumericsConfig:
    """Return the layout and batch size that are fastest here, from a timed pass of each candidate.

    Args:
        prepare: Returns the network for a form, its weights laid out like the activations, as they
            will be in evaluations: convolutions follow the layout of either.
        inputs: Samples (n, ...). The first SAMPLES of them are run, or as many batches as take
            SECONDS, and what all of them would take decides.
        like: A form with what is not chosen.
        batches: Sizes to choose from.
        clock: Seconds.
    """
    sample = inputs[:SAMPLES]
    sizes = [size for size in batches if size <= len(sample)] or [len(sample)]
    layouts = (True, False) if inputs.ndim == 4 else (False,)
    best, least = like, float("inf")
    with torch.inference_mode(), threads(1):
        for channels_last, size in product(layouts, sizes):
            form = replace(like, channels_last=channels_last, batch=size)
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


def _roomy(peak: int) -> Sequence[int]:
    """Return the batch sizes to choose from, where a sample of each worker takes `peak` bytes."""
    fitting = [size for size in BATCHES if size * peak <= TOGETHER]
    return fitting or [max((size for size in SMALL if size * peak <= TOGETHER), default=1)]
