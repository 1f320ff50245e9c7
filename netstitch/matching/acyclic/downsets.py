"""The downsets of a partial order: the sets of nodes that can have been computed at some moment.

They are enumerated without a hash table. A downset that is not empty has one tree parent, itself
without its highest position; that position is maximal in it, so the parent is a downset too. Every
downset is made once, by its tree parent. A move that adds a position i below the highest position m
of D = P + m leads to (P + i) + m, and both steps of that are known already when the downsets
are visited layer by layer (by size), tree parents first, added positions ascending.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from numba import njit

from netstitch.matching.acyclic.partial_order import PartialOrder

Integers = npt.NDArray[np.int32]
Kept = TypeVar("Kept", bound=np.integer)


@dataclass(frozen=True)
class Downsets:
    """All downsets, numbered by size from the empty one, 0, to the full one, and the moves.

    Attributes:
        layers: (n + 2,) number of the first downset of each size, and their count at the end.
        starts: (count + 1,) where the moves of each downset begin.
        nodes: (moves,) the graph's number of the node that a move adds; of one downset's moves,
            those that add an earlier position come first.
        targets: (moves,) the downset that a move leads to.
    """

    layers: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    nodes: Integers
    targets: Integers

    def __len__(self) -> int:
        return len(self.starts) - 1


def downsets(order: PartialOrder, cap: int, move_cap: int) -> Downsets | None:
    """Return all downsets of an order; None for more than `cap`, or `move_cap` moves."""
    n = len(order)
    relations = (*_flat(order.predecessors()), *_flat(order.successors()))
    layers = np.zeros(n + 2, np.int64)
    starts = np.zeros(n + 2, np.int64)
    positions, targets, parents, added = (np.full(n + 1, -1, np.int32) for _ in range(4))
    # Membership bits are kept for one layer only; of all downsets they would be the most memory.
    bits = np.zeros((1, n // 8 + 1), np.uint8)
    first, last, moves = 0, 1, 0
    for size in range(n + 1):
        known = moves
        while True:
            count, moves = _visit(
                relations, first, last, known, bits, (starts, positions, targets, parents, added)
            )
            if count >= 0:
                break
            # A downset's moves are written only where there is room for all n that it may have.
            if len(positions) >= move_cap + n and len(parents) >= cap + n:
                return None
            positions = _longer(positions, move_cap + n)
            targets = _longer(targets, move_cap + n)
            parents, added = _longer(parents, cap + n), _longer(added, cap + n)
            starts = _longer(starts, cap + n + 1)
        if count > cap or moves > move_cap:
            return None
        layers[size + 1] = last
        new = added[last:count]
        bits = bits[parents[last:count] - first]
        bits[np.arange(len(new)), new >> 3] |= (1 << (new & 7)).astype(np.uint8)
        first, last = last, count
    nodes = np.asarray(order.nodes, np.int32)[positions[:moves]]
    return Downsets(layers, starts[: last + 1].copy(), nodes, targets[:moves].copy())


def _longer(array: npt.NDArray[Kept], limit: int) -> npt.NDArray[Kept]:
    more = max(0, min(len(array) + 1024, limit - len(array)))
    return np.concatenate((array, np.empty(more, array.dtype)))


def chain(order: PartialOrder) -> Downsets:
    """Return the downsets of the linear order of the positions: its prefixes."""
    steps = np.arange(len(order) + 2, dtype=np.int64)
    nodes, targets = np.asarray(order.nodes, np.int32), steps[1:-1].astype(np.int32)
    return Downsets(steps, np.minimum(steps, len(order)), nodes, targets)


def _flat(lists: list[list[int]]) -> tuple[npt.NDArray[np.int64], Integers]:
    starts = np.cumsum([0, *map(len, lists)])
    return starts, np.array([item for items in lists for item in items], np.int32)


@njit(cache=True, nogil=True)
def _visit(
    relations: tuple[npt.NDArray[np.integer], ...],
    first: int,
    last: int,
    moves: int,
    bits: npt.NDArray[np.uint8],
    found: tuple[npt.NDArray[np.integer], ...],
) -> tuple[int, int]:
    """Write the moves of the layer first..last and make the next one.

    Returns the counts of downsets and of moves, (-1, -1) when the arrays have no room for them.
    """
    cover_starts, covers, above_starts, above = relations
    starts, positions, targets, parents, added = found
    n = len(cover_starts) - 1
    count = last
    for d in range(first, last):
        starts[d] = moves
        if moves + n > len(positions) or count + n > len(parents):
            return -1, -1
        top = added[d]
        # What may be added: what the parent could add, and what waited only for `top`.
        if top < 0:
            for p in range(n):
                if cover_starts[p] == cover_starts[p + 1]:
                    positions[moves] = p
                    moves += 1
        else:
            old = starts[parents[d]]
            old_end = starts[parents[d] + 1]
            new = above_starts[top]
            new_end = above_starts[top + 1]
            while old < old_end or new < new_end:
                if new == new_end or (old < old_end and positions[old] < above[new]):
                    p = positions[old]
                    old += 1
                    add = p != top
                else:
                    p = above[new]
                    new += 1
                    add = True
                    for c in range(cover_starts[p], cover_starts[p + 1]):
                        if not bits[d - first, covers[c] >> 3] >> (covers[c] & 7) & 1:
                            add = False
                if add:
                    positions[moves] = p
                    moves += 1
        for move in range(starts[d], moves):
            p = positions[move]
            if p > top:
                parents[count] = d
                added[count] = p
                targets[move] = count
                count += 1
            else:
                step = starts[parents[d]]
                while positions[step] != p:
                    step += 1
                step = starts[targets[step]]
                while positions[step] != top:
                    step += 1
                targets[move] = targets[step]
    starts[last] = moves
    return count, moves
