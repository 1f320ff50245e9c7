"""The search algorithms by name, with their settings, which are keywords that make them."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from pydantic import create_model

from netstitch.errors import SearchError
from netstitch.files.settings import Settings
from netstitch.optimization.algorithms.algorithm import Algorithm, Setup
from netstitch.optimization.algorithms.ga import GeneticAlgorithm
from netstitch.optimization.algorithms.gomea import gomea, lk_gomea
from netstitch.optimization.algorithms.local_search import LocalSearch
from netstitch.optimization.algorithms.nsga2 import NSGA2
from netstitch.optimization.algorithms.nsga2 import check_installed as check_pymoo
from netstitch.optimization.algorithms.random_search import RandomSearch
from netstitch.optimization.algorithms.surrogate import SurrogateSearch
from netstitch.optimization.archive import Archive
from netstitch.optimization.operators.initialisation import Initialisation
from netstitch.optimization.problem import Objective, Problem
from netstitch.text import expected_one_of

Build = Callable[..., Algorithm]
"""Makes an algorithm from a Setup and, by keyword, its settings; also one of a user's own."""


@dataclass(frozen=True)
class Entry:
    """An algorithm of a name.

    Attributes:
        build: Makes it from a Setup and, by keyword, its settings.
        follows_threshold: Whether it follows a threshold; one that does not is run without.
        takes_head_start: Whether it begins with a `HeadStart`; one that does not is run without.
        has_population: Whether the size of a population tells how it searches; of one without it is
            only the most evaluations that are under way.
        check: Raises SearchError when what it needs is not installed.
    """

    build: Build
    follows_threshold: bool = True
    takes_head_start: bool = True
    has_population: bool = True
    check: Callable[[], None] = lambda: None


ALGORITHMS: Mapping[str, Entry] = {
    "ga": Entry(GeneticAlgorithm),
    "gomea": Entry(gomea),
    "lk-gomea": Entry(lk_gomea),
    "local-search": Entry(LocalSearch),
    "nsga2": Entry(NSGA2, check=check_pymoo),
    "surrogate": Entry(SurrogateSearch, has_population=False),
    "random": Entry(RandomSearch, follows_threshold=False, takes_head_start=False),
}


def entry(algorithm: str | Build) -> Entry:
    """Return the algorithm of a name, or one of a user's own.

    Raises:
        SearchError: With the nearest name, if there is none of the name.
    """
    if callable(algorithm):
        return Entry(algorithm)
    if algorithm not in ALGORITHMS:
        raise SearchError(
            f"unknown algorithm {algorithm!r}: {expected_one_of(algorithm, ALGORITHMS)}"
        )
    return ALGORITHMS[algorithm]


def name_of(algorithm: str | Build) -> str:
    """Return the name, or where a user's own is defined."""
    if isinstance(algorithm, str):
        return algorithm
    own = inspect.isclass(algorithm) or inspect.isroutine(algorithm)
    kind = algorithm if own else type(algorithm)
    return f"{kind.__module__}.{kind.__qualname__}"


def built(algorithm: str | Build, setup: Setup, settings: Mapping[str, object]) -> Algorithm:
    """Return an algorithm, made from a setup.

    Raises:
        SearchError: When a user's own is none, or a setting has a value that it cannot use.
    """
    build = entry(algorithm).build
    made: object = None if inspect.isabstract(build) else build(setup, **settings)
    if not isinstance(made, Algorithm):
        raise SearchError(
            f"{name_of(algorithm)!r} makes no Algorithm: give a subclass of "
            "netstitch.optimization.Algorithm with propose, receive, state and restore, or a "
            "function that returns one"
        )
    return made


def check_algorithm(algorithm: str | Build) -> None:
    """Raise SearchError when there is no such algorithm, or what it needs is not installed."""
    entry(algorithm).check()


def check_settings(algorithm: str | Build, settings: Mapping[str, object]) -> None:
    """Raise SearchError when an algorithm does not know a setting, or cannot use its value."""
    known = settings_of(entry(algorithm).build)
    fields: dict[str, Any] = {name: (_checked(known[name]), None) for name in known}
    try:
        create_model("Settings", __base__=_Keywords, **fields)(**settings)
    except SearchError as error:
        raise SearchError(f"settings of algorithm {name_of(algorithm)!r}: {error}") from None
    if settings:
        built(algorithm, _smallest_setup(), settings)  # which looks at the values


def learns_from_all(algorithm: str | Build, settings: Mapping[str, object]) -> bool:
    """Return whether it learns from every result, so that no evaluation of it may stop early.

    Of a function of a user's own this is known only where it is called for the problem: it counts
    as no.
    """
    if inspect.isclass(algorithm) and issubclass(algorithm, Algorithm):
        return algorithm.learns_from_all
    if not isinstance(algorithm, str):
        return False
    return built(algorithm, _smallest_setup(), settings).learns_from_all


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


class _Keywords(Settings):
    """Keywords of an algorithm; each is a field, of the type that is annotated."""

    called = "it"

    refusal = SearchError


def _checked(annotation: Any) -> Any:
    """Return the annotation where values are checked against it, else Any."""
    if get_origin(annotation) is Literal:
        return annotation
    united = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return annotation if all(one in (bool, int, float, str, NoneType) for one in united) else Any


def settings_of(build: Build) -> Mapping[str, Any]:
    """Return the annotations of settings by name; keywords of a TypedDict count as settings."""
    try:
        hints = get_type_hints(build.__init__ if inspect.isclass(build) else build)
    except (TypeError, NameError):  # of a `partial`, or where a name is not known at run time
        hints = {}
    found: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(build).parameters.items())[1:]:
        if parameter.kind is inspect.Parameter.VAR_KEYWORD and get_origin(hints.get(name)):
            found |= get_type_hints(get_args(hints[name])[0])
        else:
            found[name] = hints.get(name, object)
    return found
