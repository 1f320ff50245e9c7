"""The schedule of what to compute for genotypes, found in less time than one operation takes.

Everything that is the same for all genotypes is worked out when the schedule is made; what is left
are a few compiled passes over the fragments that a genotype needs. Equal values, in one subnetwork
or in different ones, are computed once, and each is freed after its last use.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from netstitch.evaluation.numerics import FULL, Precision
from netstitch.evaluation.runtime.fragment_tables import NOTHING, Ints, make_tables
from netstitch.evaluation.runtime.fragments import make_fragments
from netstitch.evaluation.runtime.fusing import find_norms, fused
from netstitch.evaluation.runtime.half_precision import in_precision, shrunk
from netstitch.evaluation.runtime.trace import Steps, find_steps, most_held
from netstitch.files.alignment import assert_aligned
from netstitch.networks.interpreter import Interpreter, make_interpreter
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet

KeyedOutputs = dict[str | None, Tensor]
"""Tensors by output key."""

_FusionKey = tuple[int, int, int]
"""A fragment, the slots whose norm it leaves out, as bits, and the norm that it carries."""


@dataclass(frozen=True)
class ExecutionPlan:
    """Fragments in an order in which they can be computed.

    Attributes:
        steps: What is computed and read.
        interpreters: For each step, the interpreter of its fragment.
        sizes: Bytes of each step's value for one sample.
        peaks: The most bytes that each step holds of its own at once, for one sample.
        outputs: For each subnetwork, (output key, value) pairs.
    """

    steps: Steps
    interpreters: list[Interpreter]
    sizes: Ints
    peaks: Ints
    outputs: tuple[tuple[tuple[str | None, int], ...], ...]


class Schedule:
    """Fragments of a supernet, with weights bound, and the plans of its genotypes.

    Args:
        supernet: The schedule is for the supernet as it is now.
        weights: By key, as `Supernet.tensors` gives them, laid out as they are to be used.
        fused: Whether fragments are run in the fused form (see `fusing.py`). Without, values are
            bit for bit those of the subnetwork's own operations.
        precision: Of the weights, as far as they were float32, and of values.
    """

    def __init__(
        self,
        supernet: Supernet,
        weights: Mapping[str, Tensor],
        fused: bool = False,
        precision: Precision = FULL,
    ) -> None:
        fragments = make_fragments(supernet)
        self.fragments = fragments if precision == FULL else in_precision(fragments, precision)
        self._fused = fused
        self._weights = weights
        self._norms = find_norms(self.fragments) if fused else []
        self._tables = make_tables(self.fragments, self._norms, fused)
        self._shrunk = shrunk(self.fragments, precision)
        self._sizes = np.array([one.size for one in self.fragments.every]) // self._shrunk
        self._plain = (
            [] if fused else [make_interpreter(f.graph, weights) for f in self.fragments.every]
        )
        self._fusions: dict[_FusionKey, Interpreter] = {}

    def plan(self, genotypes: Sequence[Genotype]) -> ExecutionPlan:
        """Return one plan for several subnetworks."""
        steps = find_steps(np.array(genotypes, dtype=np.int64), self._tables, self._fused)
        numbers = steps.fragments.tolist()
        if self._fused:
            keys = zip(numbers, steps.left_out.tolist(), steps.carried.tolist(), strict=True)
            interpreters = [self._fusions.get(key) or self._fuse(key) for key in keys]
        else:
            interpreters = [self._plain[number] for number in numbers]
        peaks = np.array([one.peak for one in interpreters], dtype=np.int64)
        results = iter(steps.results.tolist())
        return ExecutionPlan(
            steps=steps,
            interpreters=interpreters,
            sizes=self._sizes[steps.fragments],
            peaks=peaks // self._shrunk[steps.fragments],
            outputs=tuple(
                tuple((key, next(results)) for key, _ in self.fragments.results[genotype[-1]])
                for genotype in genotypes
            ),
        )

    def _fuse(self, key: _FusionKey) -> Interpreter:
        """Return the interpreter of a fragment in a form that was not needed so far."""
        number, left_out, carried = key
        norms = [n for n in self._norms if n.fragment == number and left_out >> n.slot & 1]
        norm = None if carried == NOTHING else self._norms[carried]
        made = fused(self.fragments.every[number], self._weights, norms, norm)
        self._fusions[key] = made
        return made


def execute(plan: ExecutionPlan, batch: Tensor) -> list[KeyedOutputs]:
    """Return the outputs of each subnetwork for one batch.

    Args:
        plan: Values other than outputs are freed after their last use, and in the fused form
            overwritten.
        batch: In aligned memory; it is never overwritten.
    """
    assert_aligned([batch], "a plan's batch")
    values: list[Tensor | None] = [batch]
    steps = plan.steps
    reads, starts = steps.reads.tolist(), steps.read_starts.tolist()
    last, owned = steps.last.tolist(), steps.owned.tolist()
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
    steps = plan.steps
    return int(most_held(steps.reads, steps.read_starts, steps.last, plan.sizes, plan.peaks))
