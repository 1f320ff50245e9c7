"""What knowing one value would save of an evaluation.

Not all the work behind it: what it reads may be needed elsewhere too, such as a block's input by
the shortcut around the block. Saved is the work that leads to the results only through the value.
The values through which everything of a value goes are its dominators, seen from the results; they
form a tree (Cooper, Harvey and Kennedy, 2001), and a value saves the work of its subtree.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from netstitch.networks.plan import Key


@dataclass(frozen=True, slots=True)
class Made:
    """A value that an evaluation makes.

    reads: keys of what it is made of. work: operations for one sample.
    bytes: that keeping it for all samples takes; 0 for one that is not to be kept.
    """

    key: Key
    reads: tuple[Key, ...]
    work: int
    bytes: int


def exclusive_work(
    made: Sequence[Made], results: Collection[Key], known: Collection[Key] = ()
) -> dict[Key, float]:
    """By key of each value to make, the operations saved if it were known as well.

    made: in an order in which they can be computed. results: keys that are wanted in the end.
    known: keys among them that are not made after all.
    """
    places = {value.key: index for index, value in enumerate(made)}
    end, unneeded = len(made), -1
    through = [unneeded] * end  # the next value, or the end, through which all goes that needs it
    for key in results:
        if key in places:
            through[places[key]] = end
    for index in range(end - 1, -1, -1):
        if through[index] == unneeded or made[index].key in known:
            continue
        for key in made[index].reads:
            read = places.get(key)
            if read is not None:
                other = through[read]
                through[read] = index if other == unneeded else _meet(through, other, index)
    saved = [0.0] * (end + 1)
    for index, value in enumerate(made):
        if through[index] != unneeded and value.key not in known:
            saved[index] += value.work
            saved[through[index]] += saved[index]
    return {
        value.key: saved[index]
        for index, value in enumerate(made)
        if through[index] != unneeded and value.key not in known
    }


def _meet(through: Sequence[int], a: int, b: int) -> int:
    """The first value through which all goes that goes through either; readers come later."""
    while a != b:
        if a < b:
            a = through[a]
        else:
            b = through[b]
    return a
