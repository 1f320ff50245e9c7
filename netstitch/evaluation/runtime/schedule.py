"""What to compute for genotypes of one supernet, worked out in less time than one operation takes.

All weights are frozen, so a value depends only on its unit and on what that reads: each gets a
*content key* for just that (see `tracing.py`). Equal keys, in one subnetwork or in different ones,
are computed once. Everything that is the same for all genotypes is worked out when the schedule is
made; what is left are a few compiled passes over the units that a genotype needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from netstitch.evaluation.numerics import FULL, Precision
from netstitch.evaluation.runtime import trace as tracing
from netstitch.evaluation.runtime.execution_plan import ExecutionPlan, Ints
from netstitch.evaluation.runtime.fragment_tables import make_tables
from netstitch.evaluation.runtime.fragments import THE_INPUT, make_fragments
from netstitch.evaluation.runtime.fusing import find_norms, fused
from netstitch.evaluation.runtime.half_precision import in_precision, shrunk
from netstitch.evaluation.runtime.instructions import Prepared, prepare
from netstitch.networks.interpreter import Key
from netstitch.stitching.reachability import Genotype, offsets
from netstitch.supernet.supernet import Supernet


class Schedule:
    """Units of a supernet, with weights bound, and the plans of its genotypes.

    weights: by key, as `Supernet.tensors` gives them, laid out as they are to be used; a schedule
        is for these, and for the supernet as it was.
    fused: whether units are run in the fused form (see `fusing.py`). It is part of content keys.
        Without, values are bit for bit those of the subnetwork's own operations.
    precision: of the weights, as far as they were float32, and of values.
    """

    def __init__(
        self,
        supernet: Supernet,
        weights: Mapping[str, Tensor],
        fused: bool = False,
        precision: Precision = FULL,
    ) -> None:
        self.fused = fused
        units = make_fragments(supernet.names, supernet.graphs, supernet.board, supernet.averaging)
        self.units = units if precision == FULL else in_precision(units, precision)
        self._weights = weights
        self._results = [
            (tuple(key for key, _ in pairs), np.array([u for _, u in pairs], dtype=np.int64))
            for pairs in self.units.results
        ]
        self._norms = list(find_norms(self.units).values()) if fused else []
        tables = make_tables(self.units, self._norms, fused)
        self._shrunk = shrunk(self.units, precision)
        self._tables = replace(tables, sizes=tables.sizes // self._shrunk)
        [self._input_key] = _as_bytes(tables.contents[[THE_INPUT]])
        self._prepared: dict[_UnitForm, Prepared] = {}
        self._plain = [] if fused else [prepare(unit.graph, weights) for unit in self.units.units]
        peaks = np.array([unit.peak for unit in self._plain], dtype=np.int64)
        self._peaks = peaks if fused else peaks // self._shrunk

    def keys(self, genotype: Genotype) -> dict[int, Key]:
        """Content keys of the values that a genotype needs, by unit.

        A norm's unit has the key of the layer that carries the norm, where one does.
        """
        trace = self._trace(genotype)
        return dict(zip(trace.order.tolist(), _as_bytes(trace.keys), strict=True))

    def plan(self, genotypes: Sequence[Genotype]) -> ExecutionPlan:
        """One plan for several subnetworks."""
        traces = [self._trace(genotype) for genotype in genotypes]
        joined = traces[0] if len(traces) == 1 else _join(traces)
        tables = self._tables
        first = tracing.first_of_each(joined.keys)
        keys = _as_bytes(joined.keys)
        is_input = joined.order == THE_INPUT
        steps, reads, read_starts, last, owned = tracing.arrange(
            joined.order,
            joined.sources,
            joined.results,
            first,
            is_input,
            tables.slot_starts,
            tables.slot_views,
            tables.makes_new,
        )
        index = np.zeros(len(keys), dtype=np.int64)  # the input's, and no step's
        index[steps] = np.arange(1, 1 + len(steps))
        numbers = joined.order[steps]
        units, peaks = self._units(numbers, joined.left_out[steps], joined.carried[steps])
        ends = iter(joined.results.tolist())
        return ExecutionPlan(
            keys=[self._input_key, *(keys[step] for step in steps.tolist())],
            units=units,
            reads=index[reads],
            read_starts=read_starts,
            last=last,
            owned=owned,
            sizes=tables.sizes[numbers],
            peaks=peaks,
            outputs=tuple(
                tuple((name, keys[next(ends)]) for name in self._results[int(genotype[-1])][0])
                for genotype in genotypes
            ),
        )

    def _trace(self, genotype: Genotype) -> "_Trace":
        tables = self._tables
        chosen = np.ascontiguousarray(genotype, dtype=np.int64)
        order, sources, edges, results = tracing.trace(
            chosen,
            self._results[int(chosen[-1])][1],
            tables.slot_starts,
            tables.slot_switches,
            tables.edge_starts,
            tables.edge_units,
        )
        if self.fused:
            left_out, carried = tracing.fuse(
                order, sources, edges, results, tables.edge_norms, tables.slot_starts
            )
        else:
            left_out = np.zeros(len(order), dtype=np.int64)
            carried = np.full(len(order), tracing.NOTHING, dtype=np.int64)
        keys = tracing.make_keys(
            order,
            sources,
            left_out,
            carried,
            tables.slot_starts,
            tables.contents,
            tables.norm_contents,
            tables.only_norm,
        )
        return _Trace(order, sources, results, left_out, carried, keys)

    def _units(self, numbers: Ints, left_out: Ints, carried: Ints) -> tuple[list[Prepared], Ints]:
        """What to call for each step, and the most bytes that it holds at once."""
        if not self.fused:
            plain = self._plain
            return [plain[number] for number in numbers.tolist()], self._peaks[numbers]
        forms = zip(numbers.tolist(), left_out.tolist(), carried.tolist(), strict=True)
        units = [self._prepared.get(form) or self._fused(form) for form in forms]
        peaks = np.fromiter((unit.peak for unit in units), np.int64, len(units))
        return units, peaks // self._shrunk[numbers]

    def _fused(self, form: "_UnitForm") -> Prepared:
        """A unit in a form that was not needed so far."""
        number, left_out, carried = form
        norms = [n for n in self._norms if n.unit == number and left_out >> n.slot & 1]
        norm = None if carried == tracing.NOTHING else self._norms[carried]
        made = fused(self.units.units[number], self._weights, norms, norm)
        self._prepared[form] = made
        return made


_UnitForm = tuple[int, int, int]
"""A unit, the slots whose norm it leaves out, as bits, and the norm that it carries."""


@dataclass(frozen=True, slots=True)
class _Trace:
    """What some genotypes compute, equal values not yet joined; see `tracing.py`."""

    order: Ints
    sources: Ints
    results: Ints
    left_out: Ints
    carried: Ints
    keys: NDArray[np.uint64]


def _join(traces: Sequence[_Trace]) -> _Trace:
    """Several traces as one after the other."""
    bases = offsets([len(trace.order) for trace in traces])

    def moved(parts: Sequence[Ints]) -> Ints:
        return np.concatenate([part + base for part, base in zip(parts, bases, strict=False)])

    return _Trace(
        order=np.concatenate([trace.order for trace in traces]),
        sources=moved([trace.sources for trace in traces]),
        results=moved([trace.results for trace in traces]),
        left_out=np.concatenate([trace.left_out for trace in traces]),
        carried=np.concatenate([trace.carried for trace in traces]),
        keys=np.concatenate([trace.keys for trace in traces]),
    )


def _as_bytes(keys: NDArray[np.uint64]) -> list[Key]:
    """Of keys (n, 2)."""
    found: list[Key] = keys.view("V16").ravel().tolist()
    return found
