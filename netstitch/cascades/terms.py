"""Stages, and the terms (outputs) that they average, in a normal form that finds equal ones."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from netstitch.stitching.cascade_terms import Selected, Term, terms_of_subnetwork
from netstitch.supernet.cascade_parts import normal_form
from netstitch.supernet.decisions import AnySubnetwork
from netstitch.supernet.supernet import Supernet


@dataclass(frozen=True)
class Stage:
    """A subnetwork as a stage of cascades, and the terms that it averages."""

    subnetwork: Selected
    terms: tuple[Term, ...]


def make_stage(supernet: Supernet, subnetwork: AnySubnetwork) -> Stage:
    """Return a subnetwork with its terms, in the order of its networks."""
    whole = normal_form(supernet, subnetwork)
    terms = terms_of_subnetwork(supernet.board.outputs, whole)
    normal = (replace(t, subnetwork=normal_form(supernet, t.subnetwork)) for t in terms)
    return Stage(whole, tuple(normal))


def terms_of(stages: Sequence[Stage]) -> list[Term]:
    """Return the distinct terms of stages, in the order in which they come."""
    return list(dict.fromkeys(term for stage in stages for term in stage.terms))


def averaged(stages: Sequence[Stage]) -> tuple[Term, ...] | None:
    """Return the distinct terms that the last stage's mean answer averages.

    None where that is its own answer already, and where it is an exit.
    """
    own = stages[-1].terms
    if any(term.network is None for term in own):
        return None
    seen = tuple(term for term in terms_of(stages) if term.network is not None)
    return None if set(seen) == set(own) else seen
