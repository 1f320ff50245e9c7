"""What a search knows: every evaluation by its signature, and those that are under way."""

from array import array
from collections.abc import Hashable
from dataclasses import dataclass
from math import nan

import numpy as np

from netstitch.errors import SearchError
from netstitch.optimization.problem import Genotype
from netstitch.optimization.search_state import State, packed, unpacked

FAILED, KNOWN, BOUNDED = 0, 1, 2
"""What is known of an evaluation: nothing, its objectives, or the best that they can be."""


@dataclass(frozen=True, eq=False)
class Pending:
    """An evaluation under way and the (slot, genotype) pairs that wait for it, first come first.

    floor: up to which its value does not matter; None where every one does.
    """

    signature: Hashable
    waiting: list[tuple[int, Genotype]]
    floor: float | None = None


class ResultLedger:
    """Objectives by signature, and tickets for what is under way.

    columns: how many objectives there are.

    known: objectives of each signature in the order in which they came; None where it failed, and
        the best that they can be where the evaluation is `bounded`.
    pending: by ticket, in the order of tickets.
    submitted: tickets so far.
    """

    def __init__(self, columns: int) -> None:
        self.known: dict[Hashable, tuple[float, ...] | None] = {}
        self.pending: dict[int, Pending] = {}
        self.submitted = 0
        self._tickets: dict[Hashable, int] = {}
        self._bounded: dict[Hashable, int] = {}  # rows of what is known, from 0
        self._columns = columns
        self._log = _Log()

    def join(self, signature: Hashable, slot: int, genotype: Genotype) -> bool:
        """Whether an equal one is under way; the slot then waits for it too."""
        ticket = self._tickets.get(signature)
        if ticket is None:
            return False
        self.pending[ticket].waiting.append((slot, genotype))
        return True

    def open(
        self, signature: Hashable, slot: int, genotype: Genotype, floor: float | None = None
    ) -> int:
        """A ticket for a new evaluation."""
        ticket = self.submitted
        self.submitted += 1
        self.pending[ticket] = Pending(signature, [(slot, genotype)], floor)
        self._tickets[signature] = ticket
        return ticket

    def close(
        self, ticket: int, objectives: tuple[float, ...] | None, *, bounded: bool = False
    ) -> Pending:
        """Enter a result; returns who waited for it. bounded: it is the best that it can be."""
        pending = self.pending.pop(ticket)
        del self._tickets[pending.signature]
        if bounded:
            self._bounded[pending.signature] = len(self.known)
        self.known[pending.signature] = objectives
        self._log.append(pending.signature, *self._row(objectives, bounded))
        return pending

    @property
    def early(self) -> int:
        """How many are bounded."""
        return len(self._bounded)

    def bounded(self, signature: Hashable) -> bool:
        """Whether what is known of it is only the best that it can be."""
        return signature in self._bounded

    def complete(self, signature: Hashable, objectives: tuple[float, ...] | None) -> None:
        """Enter the whole result of an evaluation that was bounded."""
        row = self._bounded.pop(signature)
        self.known[signature] = objectives
        self._log.replace(row, *self._row(objectives, False))

    def _row(
        self, objectives: tuple[float, ...] | None, bounded: bool
    ) -> "tuple[int, array[float]]":
        if objectives is None:
            return FAILED, array("d", [nan] * self._columns)
        return BOUNDED if bounded else KNOWN, array("d", objectives)

    def state(self) -> State:
        """All of it as plain data; raises SearchError for signatures that are not bytes."""
        waiting = [pending.waiting for pending in self.pending.values()]
        return {
            **self._log.state(self._columns),
            "submitted": self.submitted,
            "tickets": list(self.pending),
            "pending": _packed_signatures([one.signature for one in self.pending.values()]),
            "floors": [pending.floor for pending in self.pending.values()],
            "slots": packed([[slot for slot, _ in pairs] for pairs in waiting]),
            "genotypes": np.array(
                [genotype for pairs in waiting for _, genotype in pairs], dtype=np.int64
            ),
        }

    def restore(self, state: State) -> None:
        """Become what `state` told of."""
        signatures, kinds = _unpacked_signatures(state["signatures"]), state["kinds"].tolist()
        rows = map(tuple, state["objectives"].tolist())
        self.known = {
            signature: None if kind == FAILED else row
            for signature, kind, row in zip(signatures, kinds, rows, strict=True)
        }
        self._bounded = {
            signature: row
            for row, (signature, kind) in enumerate(zip(signatures, kinds, strict=True))
            if kind == BOUNDED
        }
        self._log = _Log.of(state)
        self.submitted = state["submitted"]
        genotypes = iter(state["genotypes"])
        pending = _unpacked_signatures(state["pending"])
        self.pending = {}
        for ticket, signature, floor, slots in zip(
            state["tickets"], pending, state["floors"], unpacked(state["slots"]), strict=True
        ):
            waiting = [(int(slot), _read_only(next(genotypes))) for slot in slots]
            self.pending[ticket] = Pending(signature, waiting, floor)
        self._tickets = {one.signature: ticket for ticket, one in self.pending.items()}


class _Log:
    """What is known, as bytes and numbers that grow, so that a state of it is only a copy."""

    def __init__(self) -> None:
        self._bytes = bytearray()  # of signatures
        self._lengths = array("q")
        self._kinds = array("b")
        self._values = array("d")
        self._other: Hashable = b""  # a signature that is not bytes

    @classmethod
    def of(cls, state: State) -> "_Log":
        log = cls()
        log._bytes += state["signatures"]["bytes"].tobytes()
        log._lengths.frombytes(state["signatures"]["lengths"].tobytes())
        log._kinds.frombytes(state["kinds"].tobytes())
        log._values.frombytes(state["objectives"].tobytes())
        return log

    def append(self, signature: Hashable, kind: int, values: "array[float]") -> None:
        if not isinstance(signature, bytes):
            self._other = signature
            return
        self._bytes += signature
        self._lengths.append(len(signature))
        self._kinds.append(kind)
        self._values.extend(values)

    def replace(self, row: int, kind: int, values: "array[float]") -> None:
        if row < len(self._kinds):  # signatures of other types are not here
            self._kinds[row] = kind
            self._values[row * len(values) : (row + 1) * len(values)] = values

    def state(self, columns: int) -> State:
        _check_bytes(self._other)
        return {
            "signatures": {
                "lengths": np.array(self._lengths, dtype=np.int64),
                "bytes": np.frombuffer(bytes(self._bytes), dtype=np.uint8).copy(),
            },
            "kinds": np.array(self._kinds, dtype=np.int8),
            "objectives": np.array(self._values, dtype=np.float64).reshape(-1, columns),
        }


def _read_only(genotype: Genotype) -> Genotype:
    own = genotype.copy()
    own.setflags(write=False)
    return own


def _check_bytes(signature: Hashable) -> bytes:
    if not isinstance(signature, bytes):
        raise SearchError(
            f"a signature of type {type(signature).__name__} cannot be saved: let the "
            "problem's `signature` give bytes, such as a digest"
        )
    return signature


def _packed_signatures(signatures: list[Hashable]) -> State:
    content = [_check_bytes(signature) for signature in signatures]
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
