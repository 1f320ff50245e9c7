"""Compiled passes over a supernet's fragments: what genotypes compute, and what they share.

They read the arrays of `fragment_tables.py`. A *position* is a value that a genotype needs; the
positions of several genotypes follow one another.
"""

from typing import Any

import numpy as np
from numba import njit

NOTHING = -1
_FACTOR = 6364136223846793005  # of Knuth's linear congruential generator


@njit(cache=True, nogil=True)
def trace(
    genotype: Any,
    results: Any,
    slot_starts: Any,
    slot_switches: Any,
    edge_starts: Any,
    edge_fragments: Any,
) -> Any:
    """Return the fragments that some results need, what is read before what reads it.

    Returns:
        (order, sources, edges, results): the fragment at each position; for all their slots in turn
        the position that is read and the edge that leads there; the positions of the results.
    """
    count = len(slot_starts) - 1
    position = np.full(count, NOTHING, np.int64)
    started = np.zeros(count, np.bool_)
    cursor = np.zeros(count, np.int64)
    stack = np.empty(count, np.int64)
    order = np.empty(count, np.int64)
    edge = np.empty(len(slot_switches), np.int64)
    done = 0
    reads = 0
    for result in results:
        top = 0
        if not started[result]:
            stack[0] = result
            started[result] = True
            top = 1
        while top:
            fragment = stack[top - 1]
            slot = slot_starts[fragment] + cursor[fragment]
            if slot == slot_starts[fragment + 1]:
                position[fragment] = done
                order[done] = fragment
                done += 1
                reads += cursor[fragment]
                top -= 1
                continue
            cursor[fragment] += 1
            switch = slot_switches[slot]
            edge[slot] = edge_starts[slot] + (genotype[switch] if switch >= 0 else 0)
            source = edge_fragments[edge[slot]]
            if not started[source]:
                started[source] = True
                stack[top] = source
                top += 1
    sources = np.empty(reads, np.int64)
    edges = np.empty(reads, np.int64)
    at = 0
    for fragment in order[:done]:
        for slot in range(slot_starts[fragment], slot_starts[fragment + 1]):
            edges[at] = edge[slot]
            sources[at] = position[edge_fragments[edge[slot]]]
            at += 1
    return order[:done].copy(), sources, edges, position[results]


@njit(cache=True, nogil=True)
def fuse(order: Any, sources: Any, edges: Any, results: Any, edge_norms: Any, starts: Any) -> Any:
    """Find the norms that layers of other fragments carry, where nothing else reads those layers.

    Returns:
        (left_out, carried): for each position the slots whose norm is left out, as bits, and the
        norm that is carried.
    """
    uses = np.zeros(len(order), np.int64)
    for source in sources:
        uses[source] += 1
    for result in results:
        uses[result] += 1
    left_out = np.zeros(len(order), np.int64)
    carried = np.full(len(order), NOTHING, np.int64)
    at = 0
    for place, fragment in enumerate(order):
        for slot in range(starts[fragment + 1] - starts[fragment]):
            norm = edge_norms[edges[at]]
            if norm != NOTHING and uses[sources[at]] == 1:
                left_out[place] |= 1 << slot
                carried[sources[at]] = norm
            at += 1
    return left_out, carried


@njit(cache=True, nogil=True)
def first_equal(
    order: Any,
    sources: Any,
    left_out: Any,
    carried: Any,
    starts: Any,
    contents: Any,
    norm_contents: Any,
    only_norm: Any,
) -> Any:
    """Find positions of equal values: all weights are frozen, so they depend on content alone.

    Values are equal where fragments of equal content carry equal norms, leave out norms at the same
    slots, and read equal values.

    Returns:
        (first, reads): the first position with an equal value, for each position; where the slots
        of each begin in `sources`.
    """
    count = len(order)
    reads = np.empty(count + 1, np.int64)
    reads[0] = 0
    first = np.empty(count, np.int64)
    size = 16
    while size < 2 * count:
        size *= 2
    table = np.full(size, NOTHING, np.int64)
    for place in range(count):
        fragment = order[place]
        begin = reads[place]
        slots = starts[fragment + 1] - starts[fragment]
        reads[place + 1] = begin + slots
        if only_norm[fragment] and left_out[place]:  # it is what it reads
            first[place] = first[sources[begin]]
            continue
        norm = norm_contents[carried[place]] if carried[place] != NOTHING else NOTHING
        key = ((contents[fragment] * _FACTOR) ^ left_out[place]) * _FACTOR ^ norm
        for slot in range(slots):
            key = (key * _FACTOR) ^ first[sources[begin + slot]]
        at = ((key * _FACTOR) >> 32) & (size - 1)
        while table[at] != NOTHING:
            other = table[at]
            before = NOTHING if carried[other] == NOTHING else norm_contents[carried[other]]
            equal = contents[order[other]] == contents[fragment] and before == norm
            equal = equal and left_out[other] == left_out[place]
            for slot in range(slots if equal else 0):
                one, two = sources[reads[other] + slot], sources[begin + slot]
                equal = equal and first[one] == first[two]
            if equal:
                break
            at = (at + 1) & (size - 1)
        if table[at] == NOTHING:
            table[at] = place
        first[place] = table[at]
    return first, reads


@njit(cache=True, nogil=True)
def arrange(
    order: Any,
    sources: Any,
    results: Any,
    first: Any,
    slots: Any,
    given: Any,
    starts: Any,
    slot_views: Any,
    makes_new: Any,
) -> Any:
    """Find what has to be computed, and all that running it takes.

    Args:
        order: As `trace` returns it.
        sources: As `trace` returns it.
        results: As `trace` returns it.
        first: As `first_equal` returns it.
        slots: Where the slots of each position begin, as `first_equal` returns it.
        given: The fragment whose value is given.
        starts: Of the fragments' slots.
        slot_views: Of each slot.
        makes_new: Of each fragment.

    Returns:
        (steps, reads, read_starts, last, owned): positions to compute in order; for the slots of
        the steps in turn the position read, where each step's begin, whether nothing reads that
        later, and whether it may be overwritten: it was made by a step in memory of its own, and no
        view of it is left.
    """
    count = len(order)
    wanted = np.zeros(count, np.bool_)
    is_result = np.zeros(count, np.bool_)
    for result in results:
        wanted[first[result]] = True
        is_result[first[result]] = True
    for place in range(count - 1, -1, -1):
        if wanted[place]:
            for at in range(slots[place], slots[place + 1]):
                wanted[first[sources[at]]] = True
    steps = np.empty(count, np.int64)
    read_starts = np.zeros(count + 1, np.int64)
    reads = np.empty(len(sources), np.int64)
    last_read = np.full(count, NOTHING, np.int64)
    viewed = np.zeros(count, np.bool_)
    step = 0
    at = 0
    for place in range(count):
        if not wanted[place] or order[place] == given:
            continue
        for index in range(slots[place], slots[place + 1]):
            source = first[sources[index]]
            reads[at] = source
            last_read[source] = at
            if slot_views[starts[order[place]] + index - slots[place]]:
                viewed[source] = True
            at += 1
        steps[step] = place
        step += 1
        read_starts[step] = at
    last = np.zeros(at, np.bool_)
    owned = np.zeros(at, np.bool_)
    for each in range(step):
        for at in range(read_starts[each], read_starts[each + 1]):
            source = reads[at]
            if last_read[source] != at or is_result[source]:
                continue
            last[at] = True
            once = True
            for other in range(read_starts[each], at):
                once = once and reads[other] != source
            free = order[source] != given and not viewed[source]
            owned[at] = once and free and makes_new[order[source]]
    return steps[:step].copy(), reads[: len(last)].copy(), read_starts[: step + 1], last, owned


@njit(cache=True, nogil=True)
def peak(reads: Any, read_starts: Any, last: Any, sizes: Any, inside: Any) -> Any:
    """Return the most bytes of values held at once.

    Args:
        reads: Values that the steps read; step i computes value i + 1, and value 0 is given.
        read_starts: Where each step's reads begin.
        last: Whether each read is the last of its value.
        sizes: Bytes of each value.
        inside: The most bytes that each step holds of its own values.
    """
    held = 0
    most = 0
    for step in range(len(inside)):
        most = max(most, held + inside[step])
        held += sizes[step + 1]
        for at in range(read_starts[step], read_starts[step + 1]):
            if last[at]:
                held -= sizes[reads[at]]
    return most
