"""What a genotype computes, in compiled passes over a supernet's units.

Everything is in flat arrays: unit u reads the slots from `slot_starts[u]` on, and a slot leads
along one of the edges from `edge_starts[slot]` on, the one that its switch chooses, to a unit.

Keys of values are 128 bits, mixed from the unit's content and the keys of what it reads as
MurmurHash3 (x64, 128 bits) does. Among n different values, two share a key with a probability of
about n^2 / 2^129: 1.5e-21 for a billion.
"""

from typing import Any

import numpy as np
from numba import njit

NOTHING = -1


@njit(cache=True, nogil=True)
def trace(
    genotype: Any,
    results: Any,
    slot_starts: Any,
    slot_switches: Any,
    edge_starts: Any,
    edge_units: Any,
) -> Any:
    """The units that some results need, what is read before what reads it.

    results: units. Returns (order, sources, edges): the units, and for all their slots in turn the
    position in `order` of what is read, and the edge that leads there.
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
            unit = stack[top - 1]
            slot = slot_starts[unit] + cursor[unit]
            if slot == slot_starts[unit + 1]:
                position[unit] = done
                order[done] = unit
                done += 1
                reads += cursor[unit]
                top -= 1
                continue
            cursor[unit] += 1
            switch = slot_switches[slot]
            edge[slot] = edge_starts[slot] + (genotype[switch] if switch >= 0 else 0)
            source = edge_units[edge[slot]]
            if not started[source]:
                started[source] = True
                stack[top] = source
                top += 1
    sources = np.empty(reads, np.int64)
    edges = np.empty(reads, np.int64)
    at = 0
    for place in range(done):
        unit = order[place]
        for slot in range(slot_starts[unit], slot_starts[unit + 1]):
            edges[at] = edge[slot]
            sources[at] = position[edge_units[edge[slot]]]
            at += 1
    return order[:done].copy(), sources, edges, position[results]


@njit(cache=True, nogil=True)
def fuse(order: Any, sources: Any, edges: Any, results: Any, edge_norms: Any, starts: Any) -> Any:
    """Which norms layers of other units carry, where nothing else reads those layers.

    results: positions. edge_norms: for each edge the norm that reads along it and that its source
    can carry. Returns (left_out, carried): for each position the slots whose norm is left out, as
    bits, and the norm that is carried.
    """
    uses = np.zeros(len(order), np.int64)
    for source in sources:
        uses[source] += 1
    for result in results:
        uses[result] += 1
    left_out = np.zeros(len(order), np.int64)
    carried = np.full(len(order), NOTHING, np.int64)
    at = 0
    for place in range(len(order)):
        unit = order[place]
        for slot in range(starts[unit + 1] - starts[unit]):
            norm = edge_norms[edges[at]]
            if norm != NOTHING and uses[sources[at]] == 1:
                left_out[place] |= 1 << slot
                carried[sources[at]] = norm
            at += 1
    return left_out, carried


@njit(cache=True, nogil=True)
def _rotated(value: Any, by: Any) -> Any:
    return (value << np.uint64(by)) | (value >> np.uint64(64 - by))


@njit(cache=True, nogil=True)
def _mixed(value: Any) -> Any:
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@njit(cache=True, nogil=True)
def _absorb(key: Any, low: Any, high: Any) -> None:
    """Mix 128 bits into a key (2,)."""
    first, second = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)
    key[0] ^= _rotated(low * first, 31) * second
    key[0] = (_rotated(key[0], 27) + key[1]) * np.uint64(5) + np.uint64(0x52DCE729)
    key[1] ^= _rotated(high * second, 33) * first
    key[1] = (_rotated(key[1], 31) + key[0]) * np.uint64(5) + np.uint64(0x38495AB5)


@njit(cache=True, nogil=True)
def make_keys(
    order: Any,
    sources: Any,
    left_out: Any,
    carried: Any,
    starts: Any,
    contents: Any,
    norm_contents: Any,
    only_norm: Any,
) -> Any:
    """Content keys (n, 2) of each position.

    contents, norm_contents: (units, 2), (norms, 2). only_norm: units that are one norm alone; left
    out, they are what they read.
    """
    keys = np.empty((len(order), 2), np.uint64)
    at = 0
    for place in range(len(order)):
        unit = order[place]
        key = keys[place]
        count = starts[unit + 1] - starts[unit]
        key[:] = contents[unit]
        if left_out[place] or carried[place] != NOTHING:
            _absorb(key, np.uint64(left_out[place]), np.uint64(carried[place] != NOTHING))
            if carried[place] != NOTHING:
                _absorb(key, norm_contents[carried[place], 0], norm_contents[carried[place], 1])
        for _ in range(count):
            source = sources[at]
            _absorb(key, keys[source, 0], keys[source, 1])
            at += 1
        if count:  # what reads nothing is its content
            key[0] ^= np.uint64(count)
            key[1] ^= np.uint64(count)
            key[0] += key[1]
            key[1] += key[0]
            key[0], key[1] = _mixed(key[0]), _mixed(key[1])
            key[0] += key[1]
            key[1] += key[0]
        if only_norm[unit] and left_out[place]:
            key[:] = keys[sources[at - 1]]
    return keys


@njit(cache=True, nogil=True)
def first_of_each(keys: Any) -> Any:
    """(n,) the first position with the same key, for each of n."""
    size = 16
    while size < 2 * len(keys):
        size *= 2
    table = np.full(size, NOTHING, np.int64)
    first = np.empty(len(keys), np.int64)
    for place in range(len(keys)):
        at = np.int64(keys[place, 0] & np.uint64(size - 1))
        while table[at] != NOTHING:
            other = table[at]
            if keys[other, 0] == keys[place, 0] and keys[other, 1] == keys[place, 1]:
                break
            at = (at + 1) & (size - 1)
        if table[at] == NOTHING:
            table[at] = place
        first[place] = table[at]
    return first


@njit(cache=True, nogil=True)
def arrange(
    order: Any,
    sources: Any,
    results: Any,
    first: Any,
    given: Any,
    starts: Any,
    slot_views: Any,
    makes_new: Any,
) -> Any:
    """What has to be computed: positions, and all that running them takes.

    sources, results: positions, as they are before equal ones are joined. given: whether each
    position is the input.

    Returns (steps, reads, read_starts, last, owned): positions to compute in order; for the slots
    of the steps in turn the position read, where each step's begin, whether nothing reads that
    later, and whether it may be overwritten: it was made by a step in memory of its own, and no
    view of it is left.
    """
    count = len(order)
    offsets = np.empty(count + 1, np.int64)
    offsets[0] = 0
    for place in range(count):
        unit = order[place]
        offsets[place + 1] = offsets[place] + starts[unit + 1] - starts[unit]
    wanted = np.zeros(count, np.bool_)
    is_result = np.zeros(count, np.bool_)
    for result in results:
        wanted[first[result]] = True
        is_result[first[result]] = True
    steps = 0
    length = 0
    for place in range(count - 1, -1, -1):
        if wanted[place] and not given[place]:
            steps += 1
            length += offsets[place + 1] - offsets[place]
            for at in range(offsets[place], offsets[place + 1]):
                wanted[first[sources[at]]] = True
    made = np.empty(steps, np.int64)
    reads = np.empty(length, np.int64)
    read_starts = np.zeros(steps + 1, np.int64)
    last_read = np.full(count, NOTHING, np.int64)
    seen = np.zeros(count, np.bool_)  # by more than views: whether a view was made of it
    step = 0
    at = 0
    for place in range(count):
        if not wanted[place] or given[place]:
            continue
        made[step] = place
        for index in range(offsets[place], offsets[place + 1]):
            source = first[sources[index]]
            reads[at] = source
            last_read[source] = at
            if slot_views[starts[order[place]] + index - offsets[place]]:
                seen[source] = True
            at += 1
        step += 1
        read_starts[step] = at
    last = np.zeros(length, np.bool_)
    owned = np.zeros(length, np.bool_)
    for step in range(steps):
        for at in range(read_starts[step], read_starts[step + 1]):
            source = reads[at]
            if last_read[source] != at or is_result[source]:
                continue
            last[at] = True
            once = True
            for other in range(read_starts[step], at):
                once = once and reads[other] != source
            free = not given[source] and not seen[source]
            owned[at] = once and free and makes_new[order[source]]
    return made, reads, read_starts, last, owned


@njit(cache=True, nogil=True)
def peak(made: Any, reads: Any, read_starts: Any, last: Any, sizes: Any, inside: Any) -> Any:
    """The most bytes of values held at once.

    sizes: bytes of the value of each position, 0 of what is held in any case. inside: for each
    step the most that it holds of its own values.
    """
    held = 0
    most = 0
    for step in range(len(made)):
        most = max(most, held + inside[step])
        held += sizes[made[step]]
        for at in range(read_starts[step], read_starts[step + 1]):
            if last[at]:
                held -= sizes[reads[at]]
    return most
