"""A front held against the supernet that it is of."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from netstitch.analysis import CascadePoint, Front, FrontPoint
from netstitch.costs import COSTS, MULTIPLY_ADDS, PARAMETERS
from netstitch.errors import StorageError
from netstitch.files.documents import WORST
from netstitch.records.run_folder import FRONT_FILE
from netstitch.stitching.distinct_tensors import multiply_adds_of
from netstitch.stitching.exit import Exit
from netstitch.stitching.reachability import Genotype
from netstitch.stitching.structure import Structure


def check_front(run: Path, front: Front, structure: Structure) -> None:
    """Raise StorageError unless what stands in a front fits the run's supernet.

    Genotypes, exits, costs, stitches and outputs are looked at. Of costs, multiply-adds and
    parameters are compared: others may need more than the structure.
    """
    path = run / FRONT_FILE
    check_cost_known(path, front.cost_name)
    for point in (*front.everything, *front.beaten, *front.unconfirmed):
        reason = (
            _of_network(point, front.cost_name, structure)
            if isinstance(point, FrontPoint)
            else _of_cascade(point, front.cost_name, structure)
        )
        if reason is not None:
            raise StorageError(f"{path} is of another supernet: {point.label} {reason}; {WORST}")


def check_cost_known(path: Path, name: str) -> None:
    """Raise StorageError where a file of a run has a cost that this version does not know."""
    if name not in COSTS:
        raise StorageError(f"{path} holds a cost {name!r:.80} that is not known; {WORST}")


def _of_network(point: FrontPoint, cost_name: str, structure: Structure) -> str | None:
    """Return the reason why a point does not fit the supernet; None where it does."""
    reason = _misfit(point.genotype, structure)
    if reason is not None:
        return reason
    if point.exit is not None:
        return _misfit(point.exit, structure) or _too_cheap(
            point.multiply_adds, [point.exit], structure
        )
    genotype = np.array(point.genotype, np.int64)
    work = structure.reachability.multiply_adds(genotype)
    output = structure.outputs[point.genotype[-1]]
    known_costs = {MULTIPLY_ADDS.name: work, PARAMETERS.name: point.parameters}
    for what, found, selected in (
        (MULTIPLY_ADDS.name, point.multiply_adds, work),
        (cost_name, point.cost, known_costs.get(cost_name, point.cost)),
        ("stitches", point.stitches, len(structure.active_stitches(genotype))),
        ("as output", point.output or output, output),
    ):
        if found != selected:
            return f"has {found!r:.80} {what}, and what it selects {selected!r:.80}"
    return None


def _of_cascade(point: CascadePoint, cost_name: str, structure: Structure) -> str | None:
    """Return the reason why a cascade does not fit the supernet; None where it does."""
    stages: list[Genotype | Exit] = []
    for number, stage in enumerate(point.cascade.stages, start=1):
        reason = _misfit(stage.subnetwork, structure)
        if reason is not None:
            return f"{reason} (stage {number})"
        stages.append(
            stage.subnetwork
            if isinstance(stage.subnetwork, Exit)
            else np.array(stage.subnetwork, np.int64)
        )
    if cost_name != MULTIPLY_ADDS.name:
        return None
    return _too_cheap(point.worst_cost, stages, structure)


def _misfit(subnetwork: tuple[int, ...] | Exit, structure: Structure) -> str | None:
    """Return why a genotype or an exit is none of a supernet, or nothing."""
    if isinstance(subnetwork, Exit):
        index, points = subnetwork.network, subnetwork.points
        if not 0 <= index < len(structure.names) or not points:
            return f"reads network {index} of {len(structure.names)}"
        known = structure.graphs[index].by_name
        unknown = [name for name in points if name not in known or not known[name].point]
        if unknown:
            return f"reads {unknown[0]!r:.80}, which is no point of {structure.names[index]}"
        return None
    limits = structure.board.cardinalities
    if len(subnetwork) != len(limits) or any(
        value >= limit for value, limit in zip(subnetwork, limits, strict=True)
    ):
        return f"does not fit its {len(limits)} switches"
    return None


def _too_cheap(
    told: float, subnetworks: Sequence[Genotype | Exit], structure: Structure
) -> str | None:
    """Return that multiply-adds are fewer than without the linear maps of exits, or nothing."""
    least = multiply_adds_of(structure, subnetworks)
    if told < least:
        return f"has {told:,.10g} {MULTIPLY_ADDS.name}, and what it computes {least:,} at least"
    return None
