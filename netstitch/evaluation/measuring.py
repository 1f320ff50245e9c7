"""The numerical form in which a supernet is evaluated, measured on this machine."""

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from netstitch.evaluation.evaluator import arranged_weights
from netstitch.evaluation.form import BATCHES, Form, fastest_form
from netstitch.networks.plan import execute, make_plan
from netstitch.supernet import Supernet


def measure_form(
    supernet: Supernet,
    inputs: Tensor,
    *,
    batches: Sequence[int] = BATCHES,
    workers: int | None = None,
    device: torch.device | str = "cpu",
    clock: Callable[[], float] = time.perf_counter,
) -> Form:
    """The fastest form for the most expensive reference network, run as evaluations are.

    inputs: the samples (n, ...) that will be evaluated on. workers: batches run side by side, by
    default one for each core, and one alone on a device that is not the CPU.
    """
    if workers is None and torch.device(device).type != "cpu":
        workers = 1
    graph, _ = supernet.subnetwork_graph(max(supernet.references().values(), key=supernet.macs))

    def prepare(form: Form) -> Callable[[Tensor], object]:
        plan = make_plan([graph], arranged_weights(supernet, form, device))

        def run(batch: Tensor) -> list[Tensor]:
            # Copying results back also waits for a device that works by itself.
            return [value.cpu() for value in execute(plan, batch.to(device), {}).values()]

        return run

    return fastest_form(prepare, inputs, batches=batches, workers=workers, clock=clock)
