"""The base of search algorithms, and the setup that each is made from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from netstitch.errors import SearchError
from netstitch.optimization.archive import Archive
from netstitch.optimization.linkage.gene_pool import Convergence
from netstitch.optimization.operators.initialisation import (
    Initialisation,
    initial_population,
    nonzero_probability,
    random_genotype,
)
from netstitch.optimization.operators.scalarisation import SCALARISATIONS, Floats, Frame
from netstitch.optimization.population import Population
from netstitch.optimization.problem import Genotype, Problem, Solution, State
from netstitch.optimization.rising_threshold import RisingThreshold

ReferencePointOf = Callable[[Mapping[Hashable, Solution]], tuple[float, ...] | None]
"""See `Setup.reference_point`."""


class Algorithm(ABC):
    """A search as one loop per slot: propose a genotype, wait for its result, learn from it.

    An algorithm of your own is a subclass. The engine drives the loops in any interleaving, but
    each of them in turn: a slot that has proposed is asked again only after it has received.

    Attributes:
        slots: The number of loops, n.
        learns_from_all: Whether it learns from every result. One that does not has `matters`, and
            evaluations may stop early where their result does not (see `RejectionRule`).
    """

    slots: int
    learns_from_all: ClassVar[bool] = True

    @abstractmethod
    def propose(self, slot: int) -> Genotype | None:
        """Return the slot's next genotype, shape (l,); the engine keeps the array.

        None where there is nothing to propose: the slot is asked again after the next result.
        """

    @abstractmethod
    def receive(self, slot: int, solution: Solution, entered: bool) -> None:
        """Learn from the slot's last proposal; `entered` says if it is new in the archive."""

    def matters(self, slot: int, solution: Solution) -> bool:
        """Return whether `receive` would take a result, were it not new in the archive.

        Where it would not, all that it does is the same for every worse result.
        """
        return True

    def origin(self, slot: int) -> Genotype | None:
        """Return the evaluated solution that the slot's proposal is a change of; None for none.

        Proposals that change nothing active in it are counted, as the paper does (section 4).
        """
        return None

    def converged(self) -> bool:
        """Return whether there is nothing more to propose; never, unless an algorithm says so."""
        return False

    @abstractmethod
    def state(self) -> State:
        """Return all that changes as plain data, but for the generator: see `Engine.state`."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Become what another one, built from an equal setup, returned by `state`."""


@dataclass(frozen=True, eq=False)
class Setup:
    """The parts that every algorithm is built from.

    Attributes:
        problem: What is searched.
        population: The number of slots, n.
        initialisation: How first genotypes are drawn.
        initial: Genotypes that the first slots propose first, shape (k, l), k at most n.
        archive: The non-dominated solutions so far.
        constraint: The rising threshold, moved by the engine; None without one.
        generator: The only source of randomness.
        frame: By which objectives are normalised; see `Frame`.
        convergence: What is compared of a population to see that it converged; see `Convergence`.
        weights: By which slots judge at first, (n, m); None to draw them.
        known: Solutions that were evaluated before the algorithm was made.
        reference_point: Returns the objectives from which hypervolume counts, given the solutions
            that are known by signature, and None while these do not tell. Once it tells it stays
            the same. Without it nothing is known of one.
    """

    problem: Problem
    population: int
    initialisation: Initialisation
    initial: npt.NDArray[np.int64]
    archive: Archive
    constraint: RisingThreshold | None
    generator: np.random.Generator
    frame: Frame = "following"
    convergence: Convergence = "active"
    weights: Floats | None = None
    known: Sequence[Solution] = ()
    reference_point: ReferencePointOf | None = None

    @property
    def probability(self) -> float:
        """The probability of a nonzero value in a first genotype."""
        given = self.initialisation.probability
        return nonzero_probability(self.problem.length) if given is None else given

    def first_genotypes(self) -> npt.NDArray[np.int64]:
        """Return one per slot, shape (n, l): the initial ones, and then a balanced population."""
        genotypes = initial_population(
            self.problem.cardinalities,
            self.population,
            self.probability,
            self.initialisation.uniform,
            self.generator,
        )
        genotypes[: len(self.initial)] = self.initial
        return genotypes

    def empty_population(self, scalarisation: str) -> Population:
        """Return slots with weights, judged by one of SCALARISATIONS.

        Raises:
            SearchError: When there is none of the name.
        """
        scalarise = named("scalarisation", scalarisation, SCALARISATIONS)
        return Population(
            self.problem,
            self.population,
            self.constraint,
            self.generator,
            scalarise,
            self.archive if self.frame == "following" else None,
            self.weights,
        )

    def random_genotype(self) -> Genotype:
        """Return a draw from the distribution of first genotypes."""
        return random_genotype(
            self.problem.cardinalities,
            self.probability,
            self.initialisation.uniform,
            self.generator,
        )


Strategy = TypeVar("Strategy")


def named(kind: str, name: str, known: Mapping[str, Strategy]) -> Strategy:
    """Return the strategy of a name; raise SearchError, naming all that there are, for another."""
    if name not in known:
        names = ", ".join(map(repr, known))
        raise SearchError(f"unknown {kind} {name!r}: expected one of {names}")
    return known[name]
