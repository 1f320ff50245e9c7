"""Execution plans: fragments in order, each value computed once and freed after its last use."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from netstitch.evaluation.runtime import trace
from netstitch.evaluation.runtime.fragment_tables import Bools, Ints
from netstitch.files.alignment import assert_aligned
from netstitch.networks.interpreter import Interpreter

KeyedOutputs = dict[str | None, Tensor]
"""Tensors by output key."""


@dataclass(frozen=True)
class ExecutionPlan:
    """Fragments in an order in which they can be computed; value 0 is the batch.

    Attributes:
        interpreters: For each step, the interpreter of its fragment; step i computes value i + 1.
        reads: Values that the steps read, one step after the other.
        read_starts: Where each step's reads begin.
        last: For each read, whether no later step reads the value, and it is no output.
        owned: For each read, whether the step may overwrite it.
        sizes: Bytes of each step's value for one sample.
        peaks: The most bytes that each step holds of its own at once, for one sample.
        outputs: For each subnetwork, (output key, value) pairs.
    """

    interpreters: list[Interpreter]
    reads: Ints
    read_starts: Ints
    last: Bools
    owned: Bools
    sizes: Ints
    peaks: Ints
    outputs: tuple[tuple[tuple[str | None, int], ...], ...]


def execute(plan: ExecutionPlan, batch: Tensor) -> list[KeyedOutputs]:
    """Return the outputs of each subnetwork for one batch.

    Args:
        plan: Values other than outputs are freed after their last use, and in the fused form
            overwritten.
        batch: In aligned memory; it is never overwritten.
    """
    assert_aligned([batch], "a plan's batch")
    values: list[Tensor | None] = [batch]
    reads, starts = plan.reads.tolist(), plan.read_starts.tolist()
    last, owned = plan.last.tolist(), plan.owned.tolist()
    for step, interpreter in enumerate(plan.interpreters):
        inputs = []
        mine = 0
        for at in range(starts[step], starts[step + 1]):
            index = reads[at]
            inputs.append(values[index])
            if last[at]:
                values[index] = None
                mine |= owned[at] << len(inputs) - 1
        values += interpreter.run(inputs, mine)
    return [{key: values[index] for key, index in pairs} for pairs in plan.outputs]  # type: ignore[misc]


def peak_bytes(plan: ExecutionPlan) -> int:
    """Return the most bytes of values that `execute` holds at once, for one sample.

    The batch is left out.
    """
    return int(
        trace.peak(plan.reads, plan.read_starts, plan.last, np.append([0], plan.sizes), plan.peaks)
    )
