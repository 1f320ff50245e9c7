"""The schedule of what to compute for genotypes, found in less time than one operation takes.

Everything that is the same for all genotypes is worked out when the schedule is made; what is left
are a few compiled passes over the fragments that a genotype needs. Equal values, in one subnetwork
or in different ones, are computed once.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from netstitch.evaluation.numerics import FULL, Precision
from netstitch.evaluation.runtime import trace
from netstitch.evaluation.runtime.execution_plan import ExecutionPlan
from netstitch.evaluation.runtime.fragment_tables import Ints, make_tables
from netstitch.evaluation.runtime.fragments import THE_INPUT, make_fragments
from netstitch.evaluation.runtime.fusing import find_norms, fused
from netstitch.evaluation.runtime.half_precision import in_precision, shrunk
from netstitch.networks.interpreter import Interpreter, make_interpreter
from netstitch.stitching.reachability import Genotype, offsets
from netstitch.supernet.supernet import Supernet

_Trace = tuple[Ints, Ints, Ints, Ints, Ints]
"""What genotypes compute: order, sources and results as `trace.trace` returns them, then left_out
and carried as `trace.fuse` does."""

_Form = tuple[int, int, int]
"""A fragment, the slots whose norm it leaves out, as bits, and the norm that it carries."""


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
        fragments = make_fragments(
            supernet.names, supernet.graphs, supernet.board, supernet.averaging
        )
        self.fragments = fragments if precision == FULL else in_precision(fragments, precision)
        self._fused = fused
        self._weights = weights
        self._norms = find_norms(self.fragments) if fused else []
        self._tables = make_tables(self.fragments, self._norms, fused)
        self._shrunk = shrunk(self.fragments, precision)
        self._results = [
            np.array([number for _, number in pairs]) for pairs in self.fragments.results
        ]
        self._plain = (
            [] if fused else [make_interpreter(f.graph, weights) for f in self.fragments.every]
        )
        self._fused_forms: dict[_Form, Interpreter] = {}

    def plan(self, genotypes: Sequence[Genotype]) -> ExecutionPlan:
        """Return one plan for several subnetworks."""
        tables = self._tables
        traces = [self._trace(genotype) for genotype in genotypes]
        order, sources, ends, left_out, carried = traces[0] if len(traces) == 1 else _join(traces)
        first, slots = trace.first_equal(
            order,
            sources,
            left_out,
            carried,
            tables.slot_starts,
            tables.contents,
            tables.norm_contents,
            tables.only_norm,
        )
        steps, reads, read_starts, last, owned = trace.arrange(
            order,
            sources,
            ends,
            first,
            slots,
            THE_INPUT,
            tables.slot_starts,
            tables.slot_views,
            tables.makes_new,
        )
        values = np.zeros(len(order), dtype=np.int64)  # the input's, and no step's
        values[steps] = np.arange(1, 1 + len(steps))
        fragments = order[steps]
        numbers = fragments.tolist()
        if self._fused:
            forms = zip(numbers, left_out[steps].tolist(), carried[steps].tolist(), strict=True)
            interpreters = [self._fused_forms.get(form) or self._fuse(form) for form in forms]
        else:
            interpreters = [self._plain[number] for number in numbers]
        peaks = np.array([one.peak for one in interpreters], dtype=np.int64)
        results = iter(values[first[ends]].tolist())
        return ExecutionPlan(
            interpreters=interpreters,
            reads=values[reads],
            read_starts=read_starts,
            last=last,
            owned=owned,
            sizes=tables.sizes[fragments] // self._shrunk[fragments],
            peaks=peaks // self._shrunk[fragments],
            outputs=tuple(
                tuple((key, next(results)) for key, _ in self.fragments.results[genotype[-1]])
                for genotype in genotypes
            ),
        )

    def _trace(self, genotype: Genotype) -> _Trace:
        tables = self._tables
        order, sources, edges, results = trace.trace(
            np.ascontiguousarray(genotype, dtype=np.int64),
            self._results[genotype[-1]],
            tables.slot_starts,
            tables.slot_switches,
            tables.edge_starts,
            tables.edge_fragments,
        )
        if self._fused:
            left_out, carried = trace.fuse(
                order, sources, edges, results, tables.edge_norms, tables.slot_starts
            )
        else:
            left_out = np.zeros(len(order), dtype=np.int64)
            carried = np.full(len(order), trace.NOTHING, dtype=np.int64)
        return order, sources, results, left_out, carried

    def _fuse(self, form: _Form) -> Interpreter:
        """Return the interpreter of a fragment in a form that was not needed so far."""
        number, left_out, carried = form
        norms = [n for n in self._norms if n.fragment == number and left_out >> n.slot & 1]
        norm = None if carried == trace.NOTHING else self._norms[carried]
        made = fused(self.fragments.every[number], self._weights, norms, norm)
        self._fused_forms[form] = made
        return made


def _join(traces: Sequence[_Trace]) -> _Trace:
    """Return several traces as one after the other."""
    starts = offsets([len(order) for order, *_ in traces])
    order, sources, results, left_out, carried = zip(*traces, strict=True)

    def moved(parts: Sequence[Ints]) -> Ints:
        return np.concatenate([part + start for part, start in zip(parts, starts, strict=False)])

    return (
        np.concatenate(order),
        moved(sources),
        moved(results),
        np.concatenate(left_out),
        np.concatenate(carried),
    )
