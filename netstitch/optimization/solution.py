"""Genotypes with what their evaluation gave."""

from collections.abc import Hashable
from dataclasses import dataclass

from netstitch.optimization.problem import Genotype


@dataclass(frozen=True, eq=False)
class Solution:
    """A genotype and its objective values, None where its evaluation failed."""

    genotype: Genotype
    objectives: tuple[float, ...] | None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The record of one distinct evaluation.

    ordinal: 1 for the first that completed.
    objectives: None where it failed; then `failure` says why.
    seconds: what the evaluation took, as measured by its executor.
    """

    ordinal: int
    genotype: Genotype
    signature: Hashable
    objectives: tuple[float, ...] | None
    seconds: float
    failure: str | None
