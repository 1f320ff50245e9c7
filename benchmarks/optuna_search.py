"""Optuna's multi-objective TPE as a search, to hold others against (`pip install optuna`).

A trial is a genotype, with one categorical parameter a variable.
"""

from typing import Any

import numpy as np

from netstitch.errors import SearchError
from netstitch.optimization import Algorithm, Genotype, Setup, Solution
from netstitch.optimization.problem import State

NO_STATE = "a study of Optuna's keeps no state: run the search anew"


class OptunaSearch(Algorithm):
    """Trials of a study with Optuna's TPESampler, with its defaults.

    As many random trials as there are slots come before its model; they are the first genotypes of
    the other searches, the references among them, since few of its own would classify anything.
    """

    def __init__(self, setup: Setup) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.slots = setup.population
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=self.slots, seed=int(setup.generator.integers(2**31))
        )
        directions = [
            "maximize" if one.maximise else "minimize" for one in setup.problem.objectives
        ]
        self._study = optuna.create_study(directions=directions, sampler=sampler)
        self._choices: Any = {
            f"{index:04}": optuna.distributions.CategoricalDistribution(tuple(range(size)))
            for index, size in enumerate(setup.problem.cardinalities)
        }
        for genotype in setup.first_genotypes():
            self._study.enqueue_trial(dict(zip(self._choices, genotype.tolist(), strict=True)))
        self._trials: dict[int, Any] = {}

    def propose(self, slot: int) -> Genotype:
        """Return the genotype that the study asks for."""
        trial = self._study.ask(self._choices)
        self._trials[slot] = trial
        return np.array([trial.params[name] for name in self._choices], dtype=np.int64)

    def receive(self, slot: int, solution: Solution, entered: bool) -> None:
        """Tell the study the result."""
        self._study.tell(self._trials.pop(slot), solution.objectives)

    def state(self) -> State:
        """Raise SearchError: there is none."""
        raise SearchError(NO_STATE)

    def restore(self, state: State) -> None:
        """Raise SearchError: there is none."""
        raise SearchError(NO_STATE)
