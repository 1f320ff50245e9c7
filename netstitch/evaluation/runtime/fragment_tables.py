"""A supernet's units in flat arrays, as the compiled passes of `tracing.py` read them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netstitch.evaluation.runtime import trace as tracing
from netstitch.evaluation.runtime.execution_plan import Bools, Ints
from netstitch.evaluation.runtime.fragments import Fragment, Fragments, content
from netstitch.evaluation.runtime.fusing import Norm, can_carry, is_only
from netstitch.evaluation.runtime.in_place import makes_new_memory, views
from netstitch.networks.folding import BATCH_NORM
from netstitch.stitching.reachability import offsets


@dataclass(frozen=True)
class FragmentTables:
    """A supernet's units in flat arrays; see `tracing.py`."""

    slot_starts: Ints
    slot_switches: Ints
    edge_starts: Ints
    edge_units: Ints
    edge_norms: Ints
    contents: NDArray[np.uint64]
    norm_contents: NDArray[np.uint64]
    only_norm: Bools
    slot_views: Bools
    makes_new: Bools
    sizes: Ints


def make_tables(units: Fragments, norms: Sequence[Norm], fused: bool) -> FragmentTables:
    every = units.units
    slots = [(index, slot) for index, unit in enumerate(every) for slot in range(len(unit.reads))]
    reads = [every[index].reads[slot] for index, slot in slots]
    edges = [(read,) if read >= 0 else units.choices[-1 - read] for read in reads]
    norm_at = {(norm.unit, norm.slot): number for number, norm in enumerate(norms)}
    edge_norms = []
    for place, sources in zip(slots, edges, strict=True):
        number = norm_at.get(place, tracing.NOTHING)
        edge_norms += [
            number
            if number != tracing.NOTHING and can_carry(every[source], norms[number])
            else tracing.NOTHING
            for source in sources
        ]
    only = [False] * len(every)
    for norm in norms:
        only[norm.unit] = is_only(every[norm.unit], norm)
    return FragmentTables(
        slot_starts=offsets([len(unit.reads) for unit in every]),
        slot_switches=_ints([-1 - read if read < 0 else -1 for read in reads]),
        edge_starts=offsets([len(sources) for sources in edges]),
        edge_units=_ints([source for sources in edges for source in sources]),
        edge_norms=_ints(edge_norms),
        contents=_words([content(unit) for unit in every]),
        norm_contents=_words([norm.digest for norm in norms]),
        only_norm=np.array(only, dtype=np.bool_),
        slot_views=np.array([view for unit in every for view in _views(unit, fused)], np.bool_),
        makes_new=np.array([makes_new_memory(unit.root) for unit in every], dtype=np.bool_),
        sizes=_ints([unit.size for unit in every]),
    )


def _ints(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.int64)


def _words(digests: Sequence[bytes]) -> NDArray[np.uint64]:
    """(n, 2) of digests of 16 bytes."""
    return np.frombuffer(b"".join(digests), dtype=np.uint64).reshape(-1, 2)


def _views(unit: Fragment, fused: bool) -> list[bool]:
    """For each slot, whether the unit's value may share its memory."""
    if not unit.reads:
        return []
    # A norm that is left out passes on what it reads.
    passes = {BATCH_NORM} if fused else set()
    shared = views(unit.graph, passes)[unit.root.name]
    return [node.name in shared for node in unit.slots]
