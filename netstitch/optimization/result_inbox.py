"""Results on their way from the executor into the search."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from netstitch.optimization.executors.executor import WHOLE, Completed, Executor, checked
from netstitch.optimization.problem import Genotype, Objective, State


class ResultInbox:
    """Results that have arrived and are not worked in yet, in the order of their arrival.

    Attributes:
        arrived: Those of this round, each checked when it is the next.
        round: The number of rounds so far; results of one round arrived together.
    """

    def __init__(self, executor: Executor, objectives: Sequence[Objective]) -> None:
        self._executor = executor
        self._objectives = objectives
        self.arrived: deque[Completed] = deque()
        self._early: deque[list[Completed]] = deque()  # that came while one was waited for
        self.round = 0

    def __len__(self) -> int:
        return len(self.arrived)

    @property
    def next(self) -> Completed:
        """The oldest result, as `checked`."""
        self.arrived[0] = checked(self.arrived[0], self._objectives)
        return self.arrived[0]

    def wait(self) -> None:
        """Begin the next round, for which the executor may have to be waited for."""
        if not self.begin_early_round():
            self.arrived.extend(self._executor.wait())
            self.round += 1

    def begin_early_round(self) -> bool:
        """Return whether a whole round is there already, which then begins."""
        if not self._early:
            return False
        self.arrived.extend(self._early.popleft())
        self.round += 1
        return True

    def evaluate_whole(self, genotype: Genotype) -> Completed:
        """Evaluate a genotype whose evaluation stopped early, while other results wait."""
        self._executor.submit(WHOLE, genotype)
        while True:
            done = self._executor.wait()
            if others := [one for one in done if one.ticket != WHOLE]:
                self._early.append(others)
            for one in done:
                if one.ticket == WHOLE:
                    return checked(one, self._objectives)

    def complete_next(self, genotype: Genotype) -> None:
        """Let the next result, which stopped early, be one that was done whole."""
        early = self.arrived[0]
        whole = self.evaluate_whole(genotype)
        seconds = early.seconds + whole.seconds
        self.arrived[0] = replace(whole, ticket=early.ticket, seconds=seconds, stopped_early=False)

    def tickets(self) -> set[int]:
        """Return the tickets of all results that have arrived."""
        return {one.ticket for results in (self.arrived, *self._early) for one in results}

    def state(self) -> State:
        """Return all that changes."""
        return {
            "arrived": list(self.arrived),
            "early": [list(results) for results in self._early],
            "round": self.round,
        }

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self.arrived = deque(state["arrived"])
        self._early = deque(list(results) for results in state["early"])
        self.round = state["round"]
