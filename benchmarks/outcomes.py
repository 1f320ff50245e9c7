"""Outcomes of a supernet's networks on all validation and test images, each computed once.

They are kept in one file for all searches of the supernet, of whatever way, seed and budget: what a
search sees on a draw of validation images is then a mean, and takes no evaluation where another
search had the same network. Images of a part are all evaluated, those of no use to the first draw
too, since the next one has them.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import netstitch as ns
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.optimization import BatchEvaluation, Genotype
from netstitch.optimization.executors.attempts import Thresholds
from netstitch.tasks import Classification

Part = Literal["validation", "test"]
Bits = NDArray[np.uint8]
"""Packed bits: 1 for each image that a network has right."""

FORM = NumericsConfig(channels_last=True, batch=128, workers=1)
TABLE = """
CREATE TABLE IF NOT EXISTS outcomes (
    part TEXT, network BLOB, genotype BLOB, bits BLOB, PRIMARY KEY (part, network)
) WITHOUT ROWID
"""


class OutcomeStore:
    """Bits by part and network, the digest of its signature; processes may share the file."""

    def __init__(self, file: Path) -> None:
        self._rows = sqlite3.connect(file, timeout=600, isolation_level=None)
        self._rows.execute("PRAGMA journal_mode = WAL")
        self._rows.execute(TABLE)

    def get(self, part: Part, network: bytes) -> Bits | None:
        """The bits of a network, None where it was not evaluated."""
        query = "SELECT bits FROM outcomes WHERE part = ? AND network = ?"
        found = self._rows.execute(query, (part, network)).fetchone()
        return None if found is None else np.frombuffer(found[0], np.uint8)

    def put(self, part: Part, network: bytes, genotype: Genotype, bits: Bits) -> None:
        """Keep them; of two processes that had the same network the first counts."""
        row = (part, network, genotype.astype(np.int64).tobytes(), bits.tobytes())
        self._rows.execute("INSERT OR IGNORE INTO outcomes VALUES (?, ?, ?, ?)", row)

    def genotypes(self, part: Part) -> list[Genotype]:
        """One of every network that was evaluated, in the order of digests."""
        query = "SELECT genotype FROM outcomes WHERE part = ? ORDER BY network"
        return [np.frombuffer(one, np.int64) for (one,) in self._rows.execute(query, (part,))]


class Outcomes:
    """Those of a supernet on the samples of its task, evaluated where they are not known."""

    def __init__(self, supernet: ns.Supernet, task: Classification, store: OutcomeStore) -> None:
        assert task.test is not None
        self.supernet, self.store = supernet, store
        self.task = task
        self._samples = {"validation": task.validation, "test": task.test}
        self._evaluators: dict[Part, Evaluator] = {}

    def size(self, part: Part) -> int:
        """Return the number of images of a part."""
        return len(self._samples[part])

    def right(self, part: Part, genotypes: Sequence[Genotype]) -> NDArray[np.bool_]:
        """Return whether each network is right on each image of a part, (networks, images)."""
        networks = [self.supernet.wiring.digest(genotype) for genotype in genotypes]
        found = {network: self.store.get(part, network) for network in networks}
        missing = {
            network: genotype
            for network, genotype in zip(networks, genotypes, strict=True)
            if found[network] is None
        }
        if missing:
            measured = self._evaluator(part).measured_together(
                list(missing.values()), self.task.correct
            )
            for (network, genotype), (correct,) in zip(missing.items(), measured, strict=True):
                bits = np.packbits(correct.cpu().numpy().astype(np.bool_))
                self.store.put(part, network, genotype, bits)
                found[network] = bits
        rows = [unpacked(bits, self.size(part)) for n in networks if (bits := found[n]) is not None]
        return np.array(rows).reshape(len(networks), self.size(part))

    def _evaluator(self, part: Part) -> Evaluator:
        if part not in self._evaluators:
            samples = self._samples[part]
            self._evaluators[part] = Evaluator(self.supernet, self.task, samples, FORM)
        return self._evaluators[part]


def unpacked(bits: Bits, count: int) -> NDArray[np.bool_]:
    """Return whether a network is right, for each of so many images."""
    return np.unpackbits(bits, count=count).astype(np.bool_)


class OnDrawnImages(BatchEvaluation):
    """Accuracy on a draw of the validation images, and multiply-adds."""

    def __init__(self, outcomes: Outcomes, drawn: NDArray[np.int64]) -> None:
        self._outcomes, self._drawn = outcomes, drawn

    def __call__(self, genotype: Genotype) -> tuple[float, float]:
        """Return the outcome of one network."""
        (found,) = self.together([genotype])
        return found

    def together(
        self, genotypes: Sequence[Genotype], thresholds: Thresholds | None = None
    ) -> list[tuple[float, float]]:
        """Return the outcomes of several networks, whole in any case."""
        right = self._outcomes.right("validation", genotypes)[:, self._drawn]
        macs = [float(self._outcomes.supernet.macs(genotype)) for genotype in genotypes]
        return list(zip(right.mean(axis=1).tolist(), macs, strict=True))
