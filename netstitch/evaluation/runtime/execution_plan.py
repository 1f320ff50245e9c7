"""Plans of units, and running them: each value is computed once and freed after its last use."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from netstitch.evaluation.runtime import trace as tracing
from netstitch.evaluation.runtime.instructions import Prepared
from netstitch.files.alignment import assert_aligned
from netstitch.networks.interpreter import Key

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class ExecutionPlan:
    """Units in an order in which they can be computed.

    keys: of the values, the batch first, then one for each step.
    units: for each step, what makes its value of those it reads.
    reads, read_starts: indices of values, for all steps in turn, and where each step's begin.
    last: for each read, whether no later step reads the value, and it is no output.
    owned: for each read, whether the step may overwrite it.
    sizes: bytes of each step's value for one sample. peaks: the most that the step holds at once.
    outputs: for each subnetwork, (output key, content key) pairs.
    """

    keys: list[Key]
    units: list[Prepared]
    reads: Ints
    read_starts: Ints
    last: Bools
    owned: Bools
    sizes: Ints
    peaks: Ints
    outputs: tuple[tuple[tuple[str | None, Key], ...], ...]

    @property
    def made(self) -> list[Key]:
        """The keys of the steps."""
        return self.keys[1:]


def execute(plan: ExecutionPlan, batch: Tensor) -> dict[Key, Any]:
    """Values of the plan's outputs for one batch.

    batch: in aligned memory. Everything else is freed after its last use, and in the fused form
    overwritten: but never the batch.
    """
    assert_aligned([batch], "a plan's batch")
    results = {key for subnetwork in plan.outputs for _, key in subnetwork}
    values: list[Any] = [batch, *[None] * len(plan.units)]
    stays = [key in results for key in plan.keys]
    reads, starts = plan.reads.tolist(), plan.read_starts.tolist()
    last, owned = plan.last.tolist(), plan.owned.tolist()
    for step, unit in enumerate(plan.units):
        inputs = []
        mine = 0
        for at in range(starts[step], starts[step + 1]):
            index = reads[at]
            inputs.append(values[index])
            if last[at] and not stays[index]:
                values[index] = None
                mine |= owned[at] << len(inputs) - 1
        values[1 + step] = unit.run(inputs, mine)
    return {key: value for key, value in zip(plan.keys, values, strict=True) if key in results}


def peak_bytes(plan: ExecutionPlan) -> int:
    """The most bytes of values that `execute` holds at once, for one sample, input left out."""
    sizes = np.concatenate([[0], plan.sizes])
    made = np.arange(1, len(plan.keys))
    return int(tracing.peak(made, plan.reads, plan.read_starts, plan.last, sizes, plan.peaks))
