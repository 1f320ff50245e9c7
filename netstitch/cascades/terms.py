"""Terms: the output tensors that stages compute, each told apart by what computes it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netstitch.stitching.exit import Exit
from netstitch.supernet.decisions import AnyGenotype
from netstitch.supernet.supernet import Supernet

Subnetwork = tuple[int, ...] | Exit
"""A genotype or an exit."""


@dataclass(frozen=True)
class Term:
    """An output tensor.

    Attributes:
        subnetwork: What puts out this tensor and no other; a genotype's choices are 0 where the
            output does not depend on them, so that equal terms are equal tensors.
        network: The basis network that ends it and whose weight counts in averages; None for an
            exit, and for several networks' outputs where the supernet has none of them alone.
    """

    subnetwork: Subnetwork
    network: int | None = None


@dataclass(frozen=True)
class Stage:
    """A subnetwork as a stage of cascades, and the terms that it averages."""

    subnetwork: Subnetwork
    terms: tuple[Term, ...]


def bare(supernet: Supernet, genotype: AnyGenotype) -> tuple[int, ...]:
    """Return a genotype with choice 0 where its output does not depend on the choice."""
    used = supernet.active(genotype)
    return tuple(np.where(used, np.asarray(genotype), 0).tolist())


def make_stage(supernet: Supernet, subnetwork: AnyGenotype | Exit) -> Stage:
    """Return a subnetwork with its terms, in the order of its networks."""
    if isinstance(subnetwork, Exit):
        return Stage(subnetwork, (Term(subnetwork),))
    whole = bare(supernet, subnetwork)
    choices = supernet.board.outputs
    networks = choices[whole[-1]]
    if not all((network,) in choices for network in networks):
        return Stage(whole, (Term(whole),))
    alone = ((network, choices.index((network,))) for network in networks)
    terms = (Term(bare(supernet, (*whole[:-1], choice)), network) for network, choice in alone)
    return Stage(whole, tuple(terms))


def terms_of(stages: Sequence[Stage]) -> list[Term]:
    """Return the distinct terms of stages, in the order in which they come."""
    return list(dict.fromkeys(term for stage in stages for term in stage.terms))


def averaged(stages: Sequence[Stage]) -> tuple[Term, ...] | None:
    """Return the terms that the last stage's mean answer averages: distinct ones of networks.

    None where that is no other than its own answer, or where the last stage is no basis network's
    end.
    """
    own = stages[-1].terms
    if any(term.network is None for term in own):
        return None
    seen = tuple(term for term in terms_of(stages) if term.network is not None)
    return None if set(seen) == set(own) else seen
