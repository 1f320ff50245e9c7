"""Search over discrete variables for the best trade-offs between objectives.

Nothing here knows what is searched: a `Problem` says which variables and objectives there are, an
`Executor` evaluates genotypes, and `run_search` runs one of `ALGORITHMS` until its `Budget` ends
and gives back the non-dominated solutions.
"""

from netstitch.optimization.algorithms import ALGORITHMS, Algorithm, Setup
from netstitch.optimization.archive import Archive
from netstitch.optimization.bounding import Bounding
from netstitch.optimization.budget import Budget
from netstitch.optimization.engine import Engine
from netstitch.optimization.executor import Completed, Executor
from netstitch.optimization.history import Moment
from netstitch.optimization.initialisation import (
    Initialisation,
    initial_population,
    nonzero_probability,
)
from netstitch.optimization.problem import Genotype, Objective, Problem
from netstitch.optimization.processes import ProcessExecutor
from netstitch.optimization.ray_executor import RayExecutor
from netstitch.optimization.result import Progress, SearchResult, Stopped
from netstitch.optimization.search import prepare_search, run_search
from netstitch.optimization.serial import SerialExecutor
from netstitch.optimization.simulation import SimulatedExecutor
from netstitch.optimization.solution import Evaluation, Solution
from netstitch.optimization.state import State, load_state, save_state
from netstitch.optimization.steering import Threshold

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "Archive",
    "Bounding",
    "Budget",
    "Completed",
    "Engine",
    "Evaluation",
    "Executor",
    "Genotype",
    "Initialisation",
    "Moment",
    "Objective",
    "Problem",
    "ProcessExecutor",
    "Progress",
    "RayExecutor",
    "SearchResult",
    "SerialExecutor",
    "Setup",
    "SimulatedExecutor",
    "Solution",
    "State",
    "Stopped",
    "Threshold",
    "initial_population",
    "load_state",
    "nonzero_probability",
    "prepare_search",
    "run_search",
    "save_state",
]
