"""A supernet's fragments in flat arrays, as the compiled passes of `trace.py` read them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from netstitch.evaluation.runtime.fragments import Fragment, Fragments, content
from netstitch.evaluation.runtime.fusing import Norm, can_carry, is_only
from netstitch.networks.folding import BATCH_NORM
from netstitch.networks.in_place import makes_new_memory, views
from netstitch.stitching.reachability import offsets

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOTHING = -1
"""Stands for no switch, and for no norm."""


class FragmentTables(NamedTuple):
    """A supernet's fragments in flat arrays.

    A fragment has slots, one for each value that it reads. A slot has edges, one for each fragment
    that its switch may choose.

    Attributes:
        results: (choices, outputs), the fragments of the outputs, by choice of the output switch.
        slot_starts: Where each fragment's slots begin.
        slot_switches: The switch that each slot reads through, or NOTHING.
        slot_views: Whether the fragment's value may share memory with the slot's.
        edge_starts: Where each slot's edges begin.
        edge_fragments: The fragment at the end of each edge.
        edge_norms: The norm that reads along each edge and that its end can carry, or NOTHING.
        contents: Equal for fragments of equal content, and less than their number.
        norm_contents: Likewise for norms.
        only_norm: Whether a fragment is one norm alone.
        makes_new: Whether a fragment's value is in memory of its own.
    """

    results: Ints
    slot_starts: Ints
    slot_switches: Ints
    slot_views: Bools
    edge_starts: Ints
    edge_fragments: Ints
    edge_norms: Ints
    contents: Ints
    norm_contents: Ints
    only_norm: Bools
    makes_new: Bools


def make_tables(fragments: Fragments, norms: Sequence[Norm], fused: bool) -> FragmentTables:
    """Return the tables of fragments.

    Args:
        fragments: Of a supernet.
        norms: That other fragments might carry.
        fused: Whether they do.
    """
    every = fragments.every
    slots = [(index, slot) for index, one in enumerate(every) for slot in range(len(one.reads))]
    reads = [every[index].reads[slot] for index, slot in slots]
    edges = [(read,) if read >= 0 else fragments.choices[-1 - read] for read in reads]
    norm_at = {(norm.fragment, norm.slot): number for number, norm in enumerate(norms)}
    edge_norms = []
    for place, sources in zip(slots, edges, strict=True):
        number = norm_at.get(place, NOTHING)
        edge_norms += [
            number if number != NOTHING and can_carry(every[source], norms[number]) else NOTHING
            for source in sources
        ]
    only = {norm.fragment for norm in norms if is_only(every[norm.fragment], norm)}
    return FragmentTables(
        results=np.array([[number for _, number in pairs] for pairs in fragments.results]),
        slot_starts=offsets([len(one.reads) for one in every]),
        slot_switches=_ints(-1 - read if read < 0 else NOTHING for read in reads),
        slot_views=_bools(view for one in every for view in _views(one, fused)),
        edge_starts=offsets([len(sources) for sources in edges]),
        edge_fragments=_ints(source for sources in edges for source in sources),
        edge_norms=_ints(edge_norms),
        contents=_numbered(content(one) for one in every),
        norm_contents=_numbered(norm.content for norm in norms),
        only_norm=_bools(index in only for index in range(len(every))),
        makes_new=_bools(makes_new_memory(one.root) for one in every),
    )


def _ints(values: Iterable[int]) -> Ints:
    return np.fromiter(values, np.int64)


def _bools(values: Iterable[bool]) -> Bools:
    return np.fromiter(values, np.bool_)


def _numbered(contents: Iterable[str]) -> Ints:
    """Return a number for each content, the same for equal ones."""
    numbers: dict[str, int] = {}
    return _ints(numbers.setdefault(one, len(numbers)) for one in contents)


def _views(fragment: Fragment, fused: bool) -> list[bool]:
    """Return, for each slot, whether the fragment's value may share its memory."""
    if not fragment.reads:
        return []
    # A norm that is left out passes on what it reads.
    passes = {BATCH_NORM} if fused else set()
    shared = views(fragment.graph, passes)[fragment.root.name]
    return [node.name in shared for node in fragment.slots]
