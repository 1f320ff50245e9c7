"""The results of a search by signature, and the evaluations that are under way."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from math import isnan, nan

import numpy as np

from netstitch.errors import SearchError
from netstitch.optimization.problem import Genotype
from netstitch.optimization.search_state import State, packed, unpacked


@dataclass(frozen=True, eq=False)
class Pending:
    """An evaluation under way.

    Attributes:
        signature: Of its genotype.
        waiting: The (slot, genotype) pairs that wait for it, first come first.
        threshold: The value up to which its result does not matter; None where every one does.
    """

    signature: Hashable
    waiting: list[tuple[int, Genotype]]
    threshold: float | None = None


class ResultLedger:
    """Objectives by signature, and tickets for what is under way.

    Args:
        columns: The number of objectives.

    Attributes:
        known: Objectives of each signature in the order in which they came; None where it failed,
            and the best that they can be where the evaluation stopped early.
        pending: Evaluations under way by ticket, in the order of tickets.
        submitted: Tickets so far.
    """

    def __init__(self, columns: int) -> None:
        self.known: dict[Hashable, tuple[float, ...] | None] = {}
        self.pending: dict[int, Pending] = {}
        self.submitted = 0
        self._tickets: dict[Hashable, int] = {}
        self._early: set[Hashable] = set()  # signatures of those that stopped early
        self._columns = columns

    def join(self, signature: Hashable, slot: int, genotype: Genotype) -> bool:
        """Return whether an equal one is under way; the slot then waits for it too."""
        ticket = self._tickets.get(signature)
        if ticket is None:
            return False
        self.pending[ticket].waiting.append((slot, genotype))
        return True

    def open(
        self, signature: Hashable, slot: int, genotype: Genotype, threshold: float | None = None
    ) -> int:
        """Return a ticket for a new evaluation."""
        ticket = self.submitted
        self.submitted += 1
        self.pending[ticket] = Pending(signature, [(slot, genotype)], threshold)
        self._tickets[signature] = ticket
        return ticket

    def close(
        self, ticket: int, objectives: tuple[float, ...] | None, *, stopped_early: bool = False
    ) -> Pending:
        """Enter a result, and return who waited for it."""
        pending = self.pending.pop(ticket)
        del self._tickets[pending.signature]
        if stopped_early:
            self._early.add(pending.signature)
        self.known[pending.signature] = objectives
        return pending

    @property
    def early(self) -> int:
        """The number of evaluations that stopped early."""
        return len(self._early)

    def stopped_early(self, signature: Hashable) -> bool:
        """Return whether the known objectives are only the best that they can be."""
        return signature in self._early

    def complete(self, signature: Hashable, objectives: tuple[float, ...] | None) -> None:
        """Enter the whole result of an evaluation that had stopped early."""
        self._early.remove(signature)
        self.known[signature] = objectives

    def state(self) -> State:
        """Return all of it as plain data; raise SearchError for signatures that are not bytes."""
        waiting = [pending.waiting for pending in self.pending.values()]
        failed = (nan,) * self._columns
        rows = [failed if one is None else one for one in self.known.values()]
        return {
            "signatures": _packed_signatures(self.known),
            "objectives": np.array(rows, dtype=np.float64).reshape(-1, self._columns),
            "early": _packed_signatures(self._early),
            "submitted": self.submitted,
            "tickets": list(self.pending),
            "pending": _packed_signatures(one.signature for one in self.pending.values()),
            "thresholds": [pending.threshold for pending in self.pending.values()],
            "slots": packed([[slot for slot, _ in pairs] for pairs in waiting]),
            "genotypes": np.array(
                [genotype for pairs in waiting for _, genotype in pairs], dtype=np.int64
            ),
        }

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        signatures = _unpacked_signatures(state["signatures"])
        rows = map(tuple, state["objectives"].tolist())
        self.known = {
            signature: None if isnan(row[0]) else row
            for signature, row in zip(signatures, rows, strict=True)
        }
        self._early = set(_unpacked_signatures(state["early"]))
        self.submitted = state["submitted"]
        genotypes = iter(state["genotypes"])
        pending = _unpacked_signatures(state["pending"])
        self.pending = {}
        for ticket, signature, threshold, slots in zip(
            state["tickets"], pending, state["thresholds"], unpacked(state["slots"]), strict=True
        ):
            waiting = [(int(slot), _read_only(next(genotypes))) for slot in slots]
            self.pending[ticket] = Pending(signature, waiting, threshold)
        self._tickets = {one.signature: ticket for ticket, one in self.pending.items()}


def _read_only(genotype: Genotype) -> Genotype:
    own = genotype.copy()
    own.setflags(write=False)
    return own


def _packed_signatures(signatures: Iterable[Hashable]) -> State:
    content = []
    for signature in signatures:
        if not isinstance(signature, bytes):
            raise SearchError(
                f"a signature of type {type(signature).__name__} cannot be saved: let the "
                "problem's `signature` give bytes, such as a digest"
            )
        content.append(signature)
    return {
        "lengths": np.array([len(one) for one in content], dtype=np.int64),
        "bytes": np.frombuffer(b"".join(content), dtype=np.uint8).copy(),
    }


def _unpacked_signatures(state: State) -> list[bytes]:
    content, ends = state["bytes"].tobytes(), np.cumsum(state["lengths"]).tolist()
    return [
        content[end - length : end]
        for end, length in zip(ends, state["lengths"].tolist(), strict=True)
    ]
