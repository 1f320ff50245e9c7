"""Search over discrete variables for the best trade-offs between objectives.

Nothing here knows what is searched: a `Problem` says which variables and objectives there are, an
`Executor` evaluates genotypes, and `run_search` runs one of `ALGORITHMS` as `SearchSettings` say,
and returns the non-dominated solutions.
"""

from netstitch.optimization.algorithms.algorithm import Algorithm, Setup
from netstitch.optimization.algorithms.head_start import HeadStart
from netstitch.optimization.algorithms.registry import ALGORITHMS
from netstitch.optimization.archive import Archive
from netstitch.optimization.budget import Budget
from netstitch.optimization.engine import Engine
from netstitch.optimization.executors.attempts import BatchEvaluation, StoppedEarly
from netstitch.optimization.executors.executor import Completed, Executor
from netstitch.optimization.executors.ray_executor import RayExecutor
from netstitch.optimization.executors.replaced_processes import ProcessExecutor
from netstitch.optimization.executors.serial import SerialExecutor
from netstitch.optimization.executors.simulation import SimulatedExecutor
from netstitch.optimization.operators.initialisation import (
    Initialisation,
    initial_population,
    nonzero_probability,
)
from netstitch.optimization.problem import Evaluation, Genotype, Objective, Problem, Solution, State
from netstitch.optimization.rejection import RejectionRule
from netstitch.optimization.run_search import SearchStart, prepare_search, run_search
from netstitch.optimization.search_result import Moment, Progress, SearchResult, Stopped
from netstitch.optimization.search_settings import SearchSettings
from netstitch.optimization.search_state import load_state, save_state

__all__ = [
    "ALGORITHMS",
    "Algorithm",
    "Archive",
    "BatchEvaluation",
    "Budget",
    "Completed",
    "Engine",
    "Evaluation",
    "Executor",
    "Genotype",
    "HeadStart",
    "Initialisation",
    "Moment",
    "Objective",
    "Problem",
    "ProcessExecutor",
    "Progress",
    "RayExecutor",
    "RejectionRule",
    "SearchResult",
    "SearchSettings",
    "SearchStart",
    "SerialExecutor",
    "Setup",
    "SimulatedExecutor",
    "Solution",
    "State",
    "Stopped",
    "StoppedEarly",
    "initial_population",
    "load_state",
    "nonzero_probability",
    "prepare_search",
    "run_search",
    "save_state",
]
