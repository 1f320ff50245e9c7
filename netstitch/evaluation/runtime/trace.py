"""Compiled passes over a supernet's fragments: what genotypes compute, and what they share.

A *value* is a fragment as one genotype computes it. The values of several genotypes follow one
another, each behind what it reads; `find_steps` calls the passes over them in turn.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from netstitch.evaluation.runtime.fragment_tables import NOTHING, Bools, FragmentTables, Ints
from netstitch.evaluation.runtime.fragments import THE_INPUT

_FACTOR = 6364136223846793005  # of Knuth's linear congruential generator


class Steps(NamedTuple):
    """The steps to compute: value 0 is the input, and step i computes value i + 1.

    Attributes:
        fragments: (s,), the fragment of each step.
        left_out: (s,), the slots whose norm it leaves out, as bits.
        carried: (s,), the norm that it carries, or NOTHING.
        read_starts: (s + 1,), where its reads begin.
        reads: (r,), the values that are read, one step after the other.
        last: (r,), whether no later step reads the value, and it is no output.
        owned: (r,), whether the step may overwrite the value: a step made it in memory of its own,
            and no view of it is left.
        results: The values that are outputs, one genotype after the other.
    """

    fragments: Ints
    left_out: Ints
    carried: Ints
    read_starts: Ints
    reads: Ints
    last: Bools
    owned: Bools
    results: Ints


class _Needed(NamedTuple):
    """The values that genotypes need, with their slots side by side.

    Attributes:
        fragments: (n,), the fragment of each value.
        starts: (n + 1,), where its slots begin.
        sources: (m,), the value that each slot reads.
        edges: (m,), the edge that leads there.
        results: The values that are outputs, one genotype after the other.
    """

    fragments: Ints
    starts: Ints
    sources: Ints
    edges: Ints
    results: Ints


@njit(cache=True, nogil=True)
def find_steps(genotypes: Ints, tables: FragmentTables, fused: bool) -> Steps:
    """Return the steps that compute genotypes (g, l), equal values once."""
    needed = _needed_values(genotypes, tables)
    left_out, carried = _moved_norms(needed, tables, fused)
    first, reads = _first_equal(needed, left_out, carried, tables)
    return _ordered_steps(needed, left_out, carried, first, reads, tables)


@njit(cache=True, nogil=True)
def _needed_values(genotypes: Ints, tables: FragmentTables) -> _Needed:
    """Return the values that each genotype's outputs depend on, depth first."""
    count = len(tables.contents)
    outputs = tables.results.shape[1]
    fragments = np.empty(len(genotypes) * count, np.int64)
    starts = np.zeros(len(genotypes) * count + 1, np.int64)
    sources = np.empty(len(genotypes) * len(tables.slot_switches), np.int64)
    edges = np.empty(len(sources), np.int64)
    results = np.empty(len(genotypes) * outputs, np.int64)
    value_of = np.empty(count, np.int64)  # of each fragment, in one genotype
    stack = np.empty(count, np.int64)
    done = 0
    for number, genotype in enumerate(genotypes):
        value_of[:] = NOTHING
        for output, result in enumerate(tables.results[genotype[-1]]):
            stack[0] = result
            depth = 1 if value_of[result] == NOTHING else 0
            while depth:
                fragment = stack[depth - 1]
                at = starts[done]
                for slot in range(tables.slot_starts[fragment], tables.slot_starts[fragment + 1]):
                    switch = tables.slot_switches[slot]
                    choice = 0 if switch == NOTHING else genotype[switch]
                    edges[at] = tables.edge_starts[slot] + choice
                    source = tables.edge_fragments[edges[at]]
                    sources[at] = value_of[source]
                    if sources[at] == NOTHING:  # it comes first
                        stack[depth] = source
                        depth += 1
                        break
                    at += 1
                else:
                    depth -= 1
                    value_of[fragment] = done
                    fragments[done] = fragment
                    done += 1
                    starts[done] = at
            results[number * outputs + output] = value_of[result]
    return _Needed(
        fragments[:done],
        starts[: done + 1],
        sources[: starts[done]],
        edges[: starts[done]],
        results,
    )


@njit(cache=True, nogil=True)
def _moved_norms(needed: _Needed, tables: FragmentTables, fused: bool) -> tuple[Ints, Ints]:
    """Return the norms that fragments leave out and carry, as in `Steps`, by value.

    A layer carries the norm of another fragment where nothing else reads the layer's value.
    """
    count = len(needed.fragments)
    left_out = np.zeros(count, np.int64)
    carried = np.full(count, NOTHING, np.int64)
    if not fused:
        return left_out, carried
    uses = np.zeros(count, np.int64)
    for source in needed.sources:
        uses[source] += 1
    for result in needed.results:
        uses[result] += 1
    for value in range(count):
        begin = needed.starts[value]
        for at in range(begin, needed.starts[value + 1]):
            norm = tables.edge_norms[needed.edges[at]]
            if norm != NOTHING and uses[needed.sources[at]] == 1:
                left_out[value] |= 1 << (at - begin)
                carried[needed.sources[at]] = norm
    return left_out, carried


@njit(cache=True, nogil=True)
def _first_equal(
    needed: _Needed, left_out: Ints, carried: Ints, tables: FragmentTables
) -> tuple[Ints, Ints]:
    """Return the first value that is equal to each, and (m,) the first that is equal to each read.

    All weights are frozen, so values are equal where fragments of equal content carry equal norms,
    leave out norms at the same slots, and read equal values.
    """
    fragments, starts = needed.fragments, needed.starts
    first = np.empty(len(fragments), np.int64)
    reads = np.empty(len(needed.sources), np.int64)
    # A hash table of distinct values: many fragments, such as activations, are of equal content.
    size = 16
    while size < 2 * len(fragments):
        size *= 2
    table = np.full(size, NOTHING, np.int64)
    for value, fragment in enumerate(fragments):
        begin, end = starts[value], starts[value + 1]
        for at in range(begin, end):
            reads[at] = first[needed.sources[at]]
        if tables.only_norm[fragment] and left_out[value]:  # it is what it reads
            first[value] = reads[begin]
            continue
        norm = NOTHING if carried[value] == NOTHING else tables.norm_contents[carried[value]]
        content = tables.contents[fragment]
        key = ((content * _FACTOR) ^ left_out[value]) * _FACTOR ^ norm
        for at in range(begin, end):
            key = (key * _FACTOR) ^ reads[at]
        place = ((key * _FACTOR) >> 32) & (size - 1)
        while table[place] != NOTHING:
            other = table[place]
            theirs = NOTHING if carried[other] == NOTHING else tables.norm_contents[carried[other]]
            equal = tables.contents[fragments[other]] == content and theirs == norm
            equal = equal and left_out[other] == left_out[value]
            for slot in range(end - begin if equal else 0):
                equal = equal and reads[starts[other] + slot] == reads[begin + slot]
            if equal:
                break
            place = (place + 1) & (size - 1)
        else:
            table[place] = value
        first[value] = table[place]
    return first, reads


@njit(cache=True, nogil=True)
def _ordered_steps(
    needed: _Needed,
    left_out: Ints,
    carried: Ints,
    first: Ints,
    reads: Ints,
    tables: FragmentTables,
) -> Steps:
    """Return the values that outputs depend on as steps, from what the other passes found."""
    fragments, starts = needed.fragments, needed.starts
    wanted = np.zeros(len(fragments), np.bool_)
    wanted[first[needed.results]] = True
    for value in range(len(fragments) - 1, -1, -1):
        for at in range(starts[value], starts[value + 1]):
            wanted[reads[at]] |= wanted[value]
    wanted &= fragments != THE_INPUT
    steps = np.flatnonzero(wanted)
    number = np.zeros(len(fragments), np.int64)  # of each value in the plan
    number[steps] = np.arange(1, len(steps) + 1)
    results = number[first[needed.results]]

    # What each step reads, and the values that it may be a view of.
    read_starts = np.zeros(len(steps) + 1, np.int64)
    read = np.empty(len(reads), np.int64)
    viewed = np.zeros(len(steps) + 1, np.bool_)
    for step, computed in enumerate(steps):
        at = read_starts[step]
        slot = tables.slot_starts[fragments[computed]]
        for source in range(starts[computed], starts[computed + 1]):
            read[at] = number[reads[source]]
            viewed[read[at]] |= tables.slot_views[slot]
            at += 1
            slot += 1
        read_starts[step + 1] = at

    # Backwards, so that the first read of a value that is met is its last.
    used_later = np.zeros(len(steps) + 1, np.bool_)
    used_later[results] = True
    may_overwrite = ~viewed
    may_overwrite[0] = False
    may_overwrite[1:] &= tables.makes_new[fragments[steps]]
    last = np.zeros(read_starts[-1], np.bool_)
    owned = np.zeros(read_starts[-1], np.bool_)
    for step in range(len(steps) - 1, -1, -1):
        for at in range(read_starts[step + 1] - 1, read_starts[step] - 1, -1):
            source = read[at]
            if not used_later[source]:
                used_later[source] = last[at] = True
                owned[at] = may_overwrite[source]
                for other in range(read_starts[step], at):
                    owned[at] &= read[other] != source  # not where the step reads it twice
    return Steps(
        fragments[steps],
        left_out[steps],
        carried[steps],
        read_starts,
        read[: read_starts[-1]],
        last,
        owned,
        results,
    )


@njit(cache=True, nogil=True)
def most_held(reads: Ints, read_starts: Ints, last: Bools, sizes: Ints, peaks: Ints) -> int:
    """Return the most bytes of values held at once, the input's left out.

    Args:
        reads: As in `Steps`.
        read_starts: As in `Steps`.
        last: As in `Steps`.
        sizes: (s,), bytes of each step's value.
        peaks: (s,), the most bytes that each step holds of its own.
    """
    held = most = 0
    for step in range(len(sizes)):
        most = max(most, held + peaks[step])
        held += sizes[step]
        for at in range(read_starts[step], read_starts[step + 1]):
            if last[at] and reads[at]:
                held -= sizes[reads[at] - 1]
    return most
