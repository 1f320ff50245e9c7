"""The loops of a search by what they do: propose next, wait for another's result, or repeat."""

from collections import deque

from netstitch.optimization.problem import Genotype
from netstitch.optimization.search_state import State


class Loops:
    """Slots of an algorithm that have no evaluation under way.

    Attributes:
        ready: Slots that may propose, the next one first.
        parked: Slots that had nothing to propose, and are asked again after the next result.
        held: Proposals by slot that an interruption held up, which are made again.
    """

    def __init__(self, slots: int) -> None:
        self.ready = deque(range(slots))
        self.parked: list[int] = []
        self.held: dict[int, Genotype] = {}

    def wake(self) -> None:
        """Let parked slots try again, since there is a new result."""
        self.ready.extend(self.parked)
        self.parked.clear()

    def hold(self, slot: int, genotype: Genotype) -> None:
        """Let a slot make the same proposal where the search goes on."""
        self.held[slot] = genotype
        self.ready.appendleft(slot)

    def state(self) -> State:
        """Return all of it as plain data."""
        held = [[slot, genotype] for slot, genotype in self.held.items()]
        return {"ready": list(self.ready), "parked": list(self.parked), "held": held}

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self.ready, self.parked = deque(state["ready"]), list(state["parked"])
        self.held = dict(state["held"])
