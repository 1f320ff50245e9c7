"""The terms of a cascade: the output tensors that its stages average into answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from netstitch.errors import StitchingError
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.stitching.exit import Exit

Selected = tuple[int, ...] | Exit
"""A genotype or an exit."""


@dataclass(frozen=True)
class Term:
    """One output tensor.

    Attributes:
        subnetwork: The genotype or exit that puts out this tensor and no other. In normal form,
            equal terms are equal tensors.
        network: The basis network that it is an output of, whose weight counts in averages; None
            for an exit, and for an ensemble where the supernet has no outputs of its networks
            alone.
    """

    subnetwork: Selected
    network: int | None = None


def terms_of_subnetwork(outputs: Sequence[tuple[int, ...]], selected: Selected) -> tuple[Term, ...]:
    """Return the terms that a genotype or exit averages, in the order of its networks.

    Args:
        outputs: The choices of the supernet's output switch.
        selected: It fits the supernet.
    """
    if isinstance(selected, Exit):
        return (Term(selected),)
    subset = outputs[selected[-1]]
    if not all((network,) in outputs for network in subset):
        return (Term(selected),)
    return tuple(Term((*selected[:-1], outputs.index((one,))), one) for one in subset)


def temperatures_of(stage: CascadeStage, terms: Sequence[Term]) -> tuple[float, ...]:
    """Return the temperature of each term of a stage; 1 where it has none.

    Raises:
        StitchingError: There is not one for each term.
    """
    temperatures = stage.temperatures or (1.0,) * len(terms)
    if len(temperatures) != len(terms):
        raise StitchingError(
            f"{len(temperatures)} temperatures were given; expected {len(terms)}, one for each "
            "output that the stage averages, or none"
        )
    return temperatures


def check_stages(cascade: Cascade) -> None:
    """Raise StitchingError where a stage cannot answer as it says, or is there twice."""
    seen: dict[Selected, int] = {}
    for number, stage in enumerate(cascade.stages, start=1):
        selected = stage.subnetwork
        if selected in seen:
            raise StitchingError(
                f"stages {seen[selected]} and {number} are one subnetwork; leave one of them out"
            )
        seen[selected] = number
        if stage.answer == "mean" and isinstance(selected, Exit):
            raise StitchingError(
                f"stage {number} is an exit and answers with the mean of networks' outputs, of "
                'which it is none; give it the answer "own"'
            )
