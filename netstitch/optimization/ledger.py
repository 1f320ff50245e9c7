"""What a search knows: every evaluation by its signature, and those that are under way."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from netstitch.errors import SearchError
from netstitch.optimization.problem import Genotype
from netstitch.optimization.state import State, packed, unpacked


@dataclass(frozen=True, eq=False)
class Pending:
    """An evaluation under way and the (slot, genotype) pairs that wait for it, first come first."""

    signature: Hashable
    waiting: list[tuple[int, Genotype]]


class Ledger:
    """Objectives by signature, and tickets for what is under way.

    known: objectives of each signature in the order in which they came; None where it failed.
    pending: by ticket, in the order of tickets.
    submitted: tickets so far.
    """

    def __init__(self) -> None:
        self.known: dict[Hashable, tuple[float, ...] | None] = {}
        self.pending: dict[int, Pending] = {}
        self.submitted = 0
        self._tickets: dict[Hashable, int] = {}

    def join(self, signature: Hashable, slot: int, genotype: Genotype) -> bool:
        """Whether an equal one is under way; the slot then waits for it too."""
        ticket = self._tickets.get(signature)
        if ticket is None:
            return False
        self.pending[ticket].waiting.append((slot, genotype))
        return True

    def open(self, signature: Hashable, slot: int, genotype: Genotype) -> int:
        """A ticket for a new evaluation."""
        ticket = self.submitted
        self.submitted += 1
        self.pending[ticket] = Pending(signature, [(slot, genotype)])
        self._tickets[signature] = ticket
        return ticket

    def close(self, ticket: int, objectives: tuple[float, ...] | None) -> Pending:
        """Enter a result; returns who waited for it."""
        pending = self.pending.pop(ticket)
        del self._tickets[pending.signature]
        self.known[pending.signature] = objectives
        return pending

    def state(self) -> State:
        """All of it as plain data; raises SearchError for signatures that are not bytes."""
        waiting = [pending.waiting for pending in self.pending.values()]
        values = [values for values in self.known.values() if values is not None]
        return {
            "signatures": _packed_signatures(list(self.known)),
            "known": np.array([values is not None for values in self.known.values()], np.bool_),
            "objectives": np.array(values, dtype=np.float64),
            "submitted": self.submitted,
            "tickets": list(self.pending),
            "pending": _packed_signatures([one.signature for one in self.pending.values()]),
            "slots": packed([[slot for slot, _ in pairs] for pairs in waiting]),
            "genotypes": np.array(
                [genotype for pairs in waiting for _, genotype in pairs], dtype=np.int64
            ),
        }

    def restore(self, state: State) -> None:
        """Become what `state` told of."""
        objectives = iter(state["objectives"].tolist())
        self.known = {
            signature: tuple(next(objectives)) if known else None
            for signature, known in zip(
                _unpacked_signatures(state["signatures"]), state["known"], strict=True
            )
        }
        self.submitted = state["submitted"]
        genotypes = iter(state["genotypes"])
        signatures = _unpacked_signatures(state["pending"])
        self.pending = {}
        for ticket, signature, slots in zip(
            state["tickets"], signatures, unpacked(state["slots"]), strict=True
        ):
            waiting = [(int(slot), _read_only(next(genotypes))) for slot in slots]
            self.pending[ticket] = Pending(signature, waiting)
        self._tickets = {one.signature: ticket for ticket, one in self.pending.items()}


def _read_only(genotype: Genotype) -> Genotype:
    own = genotype.copy()
    own.setflags(write=False)
    return own


def _packed_signatures(signatures: list[Hashable]) -> State:
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
