"""The evaluations of a run as arrays, read while it goes on or afterwards."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from netstitch.errors import StorageError
from netstitch.evaluation.store_tables import (
    DeliveryRow,
    EvaluationRow,
    check_file,
    checked_rows,
    connect,
    read_objectives,
    store_damaged,
)


@dataclass(frozen=True, eq=False)
class DeliveredResults:
    """Results in the order in which a search was given them, m of them.

    Attributes:
        evaluation: (m,), the index of each among the evaluations.
        skipped: (m,), proposals so far that were known.
        elapsed: (m,), seconds of the search so far.
    """

    evaluation: NDArray[np.int64]
    skipped: NDArray[np.int64]
    elapsed: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StoredEvaluations:
    """Distinct evaluations in the order in which they were finished, n of them.

    Attributes:
        genotypes: (n, l).
        signatures: Each one's digest of its active switches.
        objectives: By name, (n,) each, the score and the cost among them: NaN where an evaluation
            failed; where it ended early, the best that they can be.
        score_name: The name of the objective that the search makes large, such as "accuracy".
        cost_name: The name of the one that it makes small.
        seconds: (n,), that each took.
        stopped_early: (n,), whether each ended early.
        failures: By index, why an evaluation failed.
        searches: By population size, the results that the search was given.
    """

    genotypes: NDArray[np.uint16]
    signatures: tuple[bytes, ...]
    objectives: Mapping[str, NDArray[np.float64]]
    score_name: str
    cost_name: str
    seconds: NDArray[np.float64]
    stopped_early: NDArray[np.bool_]
    failures: dict[int, str]
    searches: dict[int, DeliveredResults]

    def __len__(self) -> int:
        return len(self.signatures)

    def without(self, rows: Iterable[int]) -> "StoredEvaluations":
        """Return the others than some that no search was given."""
        stay = np.ones(len(self), np.bool_)
        stay[list(rows)] = False
        places = np.cumsum(stay) - 1
        return replace(
            self,
            genotypes=self.genotypes[stay],
            signatures=tuple(compress(self.signatures, stay)),
            objectives={name: values[stay] for name, values in self.objectives.items()},
            seconds=self.seconds[stay],
            stopped_early=self.stopped_early[stay],
            failures={int(places[row]): why for row, why in self.failures.items() if stay[row]},
            searches={
                size: replace(given, evaluation=places[given.evaluation])
                for size, given in self.searches.items()
            },
        )

    @property
    def score(self) -> NDArray[np.float64]:
        """The objective that the search made large, in [0, 1]."""
        return self.objectives[self.score_name]

    @property
    def cost(self) -> NDArray[np.float64]:
        """The objective that the search made small."""
        return self.objectives[self.cost_name]


def no_evaluations(score_name: str, cost_name: str) -> StoredEvaluations:
    """Return the evaluations of a search that did not begin."""
    none = np.zeros(0)
    return StoredEvaluations(
        genotypes=np.zeros((0, 0), np.uint16),
        signatures=(),
        objectives={score_name: none, cost_name: none},
        score_name=score_name,
        cost_name=cost_name,
        seconds=none,
        stopped_early=np.zeros(0, np.bool_),
        failures={},
        searches={},
    )


def read_evaluations(path: Path, score_name: str, cost_name: str) -> StoredEvaluations:
    """Return all of a run's evaluations; the file is not changed, and may be written meanwhile.

    Raises:
        StorageError: The file is missing, damaged or of another version, or does not hold the
            score and the cost of its evaluations.
    """
    if not path.is_file():
        raise StorageError(f"{path} is missing; it holds what was evaluated: put it back")
    # Without a log beside the file nobody writes it, and SQLite need make none.
    logged = path.with_name(f"{path.name}-wal").exists()
    try:
        with closing(connect(path, "mode=ro" if logged else "immutable=1")) as connection:
            check_file(connection, path)
            connection.execute("BEGIN")  # both tables as of one moment
            query = "SELECT * FROM evaluations ORDER BY ordinal"
            rows = [EvaluationRow(*row) for row in checked_rows(connection, path, query)]
            query = "SELECT * FROM deliveries ORDER BY search, number"
            given = [DeliveryRow(*row) for row in checked_rows(connection, path, query)]
    except sqlite3.Error as error:
        raise store_damaged(path, error) from error
    ordinals, genotypes, signatures, objectives, seconds, _, _, failures, early = (
        zip(*rows, strict=True) if rows else ((),) * 9
    )
    lengths = {len(genotype) for genotype in genotypes}
    if len(lengths) > 1 or 0 in lengths:
        raise store_damaged(path, f"genotypes have {min(lengths)} to {max(lengths)} bytes")
    flat = np.frombuffer(b"".join(genotypes), np.uint16)
    return StoredEvaluations(
        flat.reshape(len(rows), -1) if rows else flat.reshape(0, 0),
        signatures,
        _by_name(path, objectives, score_name, cost_name),
        score_name,
        cost_name,
        np.array(seconds, np.float64),
        np.array(early, np.bool_),
        {index: why for index, why in enumerate(failures) if why is not None},
        _searches(path, ordinals, given),
    )


def _by_name(
    path: Path, texts: tuple[str | None, ...], score_name: str, cost_name: str
) -> dict[str, NDArray[np.float64]]:
    """Return (n,) values of each objective; scores are checked to be shares."""
    rows = read_objectives(path, texts)
    whole = [row for row in rows if row is not None]
    names = whole[0].keys() if whole else {score_name: None, cost_name: None}.keys()
    for row in whole:
        if row.keys() != names:
            raise store_damaged(path, f"evaluations have {', '.join(names)}, and {', '.join(row)}")
    if not {score_name, cost_name} <= names:
        raise store_damaged(
            path, f"its search is for {score_name} and {cost_name}, and it holds {', '.join(names)}"
        )
    found = {
        name: np.array([np.nan if row is None else row[name] for row in rows], np.float64)
        for name in names
    }
    score, cost = found[score_name], found[cost_name]
    if (score < 0).any() or (score > 1).any() or (cost < 0).any():
        raise store_damaged(path, f"{score_name} or {cost_name} of an evaluation cannot be")
    return found


def _searches(
    path: Path, ordinals: tuple[int, ...], given: list[DeliveryRow]
) -> dict[int, DeliveredResults]:
    index_of = {ordinal: index for index, ordinal in enumerate(ordinals)}
    missing = next((row.evaluation for row in given if row.evaluation not in index_of), None)
    if missing is not None:
        raise store_damaged(path, f"there is no evaluation {missing}")
    found = {}
    for search in dict.fromkeys(row.search for row in given):
        own = [row for row in given if row.search == search]
        found[search] = DeliveredResults(
            np.array([index_of[row.evaluation] for row in own], np.int64),
            np.array([row.skipped for row in own], np.int64),
            np.array([row.elapsed for row in own], np.float64),
        )
    return found
