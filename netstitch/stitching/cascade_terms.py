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
        subnetwork: The genotype or exit that puts it out.
        temperature: It is divided by that.
        network: The basis network that it is an output of; None for an exit, and for an ensemble
            where the supernet has no outputs of its networks alone.
    """

    subnetwork: Selected
    temperature: float
    network: int | None = None


def stage_terms(outputs: Sequence[tuple[int, ...]], stage: CascadeStage) -> tuple[Term, ...]:
    """Return the terms of a stage, in the order of its temperatures.

    Args:
        outputs: The choices of the supernet's output switch.
        stage: Its genotype fits the supernet; without temperatures they are 1.

    Raises:
        StitchingError: There is not one temperature for each term.
    """
    selected = stage.subnetwork
    found: list[tuple[Selected, int | None]] = [(selected, None)]
    if not isinstance(selected, Exit):
        subset = outputs[selected[-1]]
        if all((network,) in outputs for network in subset):
            found = [((*selected[:-1], outputs.index((one,))), one) for one in subset]
    temperatures = stage.temperatures or (1.0,) * len(found)
    if len(temperatures) != len(found):
        raise StitchingError(
            f"{len(temperatures)} temperatures were given; expected {len(found)}, one for each "
            "output that the stage averages, or none"
        )
    return tuple(
        Term(one, temperature, network)
        for (one, network), temperature in zip(found, temperatures, strict=True)
    )


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
