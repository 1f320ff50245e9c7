"""Search over discrete variables for the best trade-offs between objectives.

Nothing here knows what is searched: a `Problem` says which variables and objectives there are, an
`Executor` evaluates genotypes, and `run_search` runs one of `ALGORITHMS` until its `Budget` ends
and gives back the non-dominated solutions.
"""

from netstitch.optimization.algorithms import ALGORITHMS, Algorithm, Setup
from netstitch.optimization.archive import Archive
from netstitch.optimization.budget import Budget
from netstitch.optimization.executor import Completed, Executor, SerialExecutor
from netstitch.optimization.initialisation import (
    Initialisation,
    initial_population,
    nonzero_probability,
)
from netstitch.optimization.problem import Genotype, Objective, Problem
from netstitch.optimization.result import Progress, SearchResult, Stopped
from netstitch.optimization.search import run_search
from netstitch.optimization.simulation import SimulatedExecutor
from netstitch.optimization.solution import Evaluation, Solution
from netstitch.optimization.steering import Threshold

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "Archive",
    "Budget",
    "Completed",
    "Evaluation",
    "Executor",
    "Genotype",
    "Initialisation",
    "Objective",
    "Problem",
    "Progress",
    "SearchResult",
    "SerialExecutor",
    "Setup",
    "SimulatedExecutor",
    "Solution",
    "Stopped",
    "Threshold",
    "initial_population",
    "nonzero_probability",
    "run_search",
]
