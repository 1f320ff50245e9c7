"""The search algorithms by name."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from inspect import isclass, isroutine
from typing import Any

import numpy as np

from netstitch.errors import SearchError
from netstitch.optimization.algorithms.algorithm import Algorithm, Setup
from netstitch.optimization.algorithms.algorithm_settings import SettingKind, settings_of
from netstitch.optimization.algorithms.ga import GeneticAlgorithm
from netstitch.optimization.algorithms.gomea import gomea, lk_gomea
from netstitch.optimization.algorithms.local_search import LocalSearch
from netstitch.optimization.algorithms.nsga2 import NSGA2
from netstitch.optimization.algorithms.nsga2 import check_installed as check_pymoo
from netstitch.optimization.algorithms.random_search import RandomSearch
from netstitch.optimization.archive import Archive
from netstitch.optimization.operators.initialisation import Initialisation
from netstitch.optimization.problem import Objective, Problem
from netstitch.text import did_you_mean

Build = Callable[..., Algorithm]
"""Makes an algorithm from a Setup and, by keyword, its settings; also one of a user's own."""


@dataclass(frozen=True)
class Entry:
    """An algorithm of a name.

    Attributes:
        build: Makes it from a Setup and, by keyword, its settings.
        follows_threshold: Whether it follows a threshold; one that does not is run without.
        check: Raises SearchError when what it needs is not installed.
    """

    build: Build
    follows_threshold: bool = True
    check: Callable[[], None] = lambda: None

    @property
    def settings(self) -> Mapping[str, tuple[SettingKind, ...]]:
        """The settings it takes, by name, each with the kinds of values that it may have."""
        return settings_of(self.build)


ALGORITHMS: Mapping[str, Entry] = {
    "ga": Entry(GeneticAlgorithm),
    "gomea": Entry(gomea),
    "lk-gomea": Entry(lk_gomea),
    "local-search": Entry(LocalSearch),
    "nsga2": Entry(NSGA2, check=check_pymoo),
    "random": Entry(RandomSearch, follows_threshold=False),
}


def entry(algorithm: str | Build) -> Entry:
    """Return the algorithm of a name, or one of a user's own.

    Raises:
        SearchError: With the nearest name, if there is none of the name.
    """
    if callable(algorithm):
        return Entry(algorithm)
    if algorithm not in ALGORITHMS:
        known = _known(algorithm, tuple(ALGORITHMS))
        raise SearchError(f"unknown algorithm {algorithm!r}: {known}")
    return ALGORITHMS[algorithm]


def name_of(algorithm: str | Build) -> str:
    """Return the name, or where a user's own is defined."""
    if isinstance(algorithm, str):
        return algorithm
    kind = algorithm if isclass(algorithm) or isroutine(algorithm) else type(algorithm)
    return f"{kind.__module__}.{kind.__qualname__}"


def check_algorithm(algorithm: str | Build) -> None:
    """Raise SearchError when there is no such algorithm, or what it needs is not installed."""
    entry(algorithm).check()


def check_settings(algorithm: str | Build, settings: Mapping[str, Any]) -> None:
    """Raise SearchError when an algorithm does not know a setting, or cannot use its value."""
    known, name = entry(algorithm).settings, name_of(algorithm)
    for setting, value in settings.items():
        if setting not in known:
            raise SearchError(
                f"algorithm {name!r} has no setting {setting!r}: {_known(setting, known)}"
            )
        if not any(kind.holds(value) for kind in known[setting]):
            kinds = " or ".join(kind.described for kind in known[setting])
            raise SearchError(f"setting {setting!r} of {name!r} is {value!r}: expected {kinds}")
    if settings:
        entry(algorithm).build(_smallest_setup(), **settings)  # which looks at the values


def learns_from_all(algorithm: str | Build, settings: Mapping[str, Any]) -> bool:
    """Return whether it learns from every result, so that no evaluation of it may stop early.

    Of one of a user's own this is known only where it is built for the problem: it counts as no.
    """
    if not isinstance(algorithm, str):
        return False
    return entry(algorithm).build(_smallest_setup(), **settings).learns_from_all


def _smallest_setup() -> Setup:
    problem = Problem(
        (2, 2), (Objective("first"), Objective("second")), active=lambda genotype: genotype >= 0
    )
    return Setup(
        problem=problem,
        population=4,
        initialisation=Initialisation(),
        initial=np.empty((0, 2), dtype=np.int64),
        archive=Archive(problem.objectives),
        constraint=None,
        generator=np.random.default_rng(0),
    )


def _known(word: str, known: Collection[str]) -> str:
    if not known:
        return "it takes none"
    hint = did_you_mean(word, known).strip()
    return f"known are {', '.join(known)}{f', {hint}' if hint else ''}"
