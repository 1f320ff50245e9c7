"""Genotypes with the results of their evaluation."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from netstitch.optimization.problem import Genotype
from netstitch.optimization.search_state import State


@dataclass(frozen=True, eq=False)
class Solution:
    """A genotype and its objective values, None where its evaluation failed."""

    genotype: Genotype
    objectives: tuple[float, ...] | None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The record of one distinct evaluation.

    Attributes:
        ordinal: 1 for the first that completed.
        genotype: The first one of its signature.
        signature: As the problem's.
        objectives: Their values; None where the evaluation failed, and `failure` says why.
        seconds: The time that the evaluation took, as measured by its executor.
        worker: What evaluated it.
        round: Results of one round arrived together; the search proposes nothing between them.
        skipped: Proposals so far that needed no evaluation.
        elapsed: Seconds since the search began.
        stopped_early: Whether it stopped early since its outcome was certain; the objectives are
            then the best that they can be.
    """

    ordinal: int
    genotype: Genotype
    signature: Hashable
    objectives: tuple[float, ...] | None
    seconds: float
    failure: str | None
    worker: str = ""
    round: int = 0
    skipped: int = 0
    elapsed: float = 0.0
    stopped_early: bool = False


def packed_solutions(solutions: Sequence[Solution | None]) -> State:
    """Return solutions as arrays, for the state of a search."""
    there = [solution for solution in solutions if solution is not None]
    known = [solution.objectives for solution in there if solution.objectives is not None]
    return {
        "there": np.array([solution is not None for solution in solutions], dtype=np.bool_),
        "known": np.array([solution.objectives is not None for solution in there], dtype=np.bool_),
        "genotypes": np.array([solution.genotype for solution in there], dtype=np.int64),
        "objectives": np.array(known, dtype=np.float64),
    }


def unpacked_solutions(state: State) -> list[Solution | None]:
    """Return what `packed_solutions` was given."""
    genotypes, objectives = iter(state["genotypes"]), iter(state["objectives"].tolist())
    known = iter(state["known"])
    return [
        Solution(next(genotypes).copy(), tuple(next(objectives)) if next(known) else None)
        if there
        else None
        for there in state["there"]
    ]
