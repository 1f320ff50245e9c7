"""The tensors that subnetworks and exits compute, by content: which ones they have in common.

Two tensors are one where the same node reads the same tensors: a layer behind a stitch makes
another one than the same layer behind the original features.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from netstitch.stitching.exit import Exit
from netstitch.stitching.reachability import Genotype
from netstitch.stitching.structure import Structure

NodeRef = tuple[int, str]
"""A node, by its network and name."""

Numbers = dict[Hashable, int]
"""A number for each tensor that was met, from 0, in the order of meeting."""


@dataclass
class ComputedTensors:
    """The tensors that a subnetwork or an exit computes.

    Attributes:
        ends: The nodes that the output is made of.
        made: The stitch that is read in the place of each node, active or not.
        nodes: The number of each node's tensor; what is read comes before what reads it.
        stitches: The number of each active stitch's tensor.
    """

    ends: tuple[NodeRef, ...]
    made: dict[NodeRef, int]
    nodes: dict[NodeRef, int] = field(default_factory=dict)
    stitches: dict[int, int] = field(default_factory=dict)


def computed_tensors(
    structure: Structure, subnetwork: Genotype | Exit, numbers: Numbers
) -> ComputedTensors:
    """Return the tensors of a genotype's subnetwork, or of an exit without its linear map.

    Args:
        structure: Of the supernet.
        subnetwork: What is computed.
        numbers: Of tensors that others compute; new ones are added.
    """
    found = _selected(structure, subnetwork)
    pending = list(found.ends)
    while pending:
        ref = pending[-1]
        reads = _reads(structure, found, ref)
        missing = [source for source, _ in reads if source not in found.nodes]
        if missing:
            pending += missing
            continue
        pending.pop()  # where it was met twice, it gets the number that it has
        content = []
        for source, stitch in reads:
            number = found.nodes[source]
            if stitch is not None:
                number = numbers.setdefault((stitch, number), len(numbers))
                found.stitches[stitch] = number
            content.append(number)
        found.nodes[ref] = numbers.setdefault((ref, *content), len(numbers))
    return found


def multiply_adds_of(structure: Structure, subnetworks: Sequence[Genotype | Exit]) -> int:
    """Return the multiply-adds of computing all for one sample, each common tensor once.

    Linear maps of exits, of which a structure does not know the size, are left out.
    """
    numbers, costs = Numbers(), dict[int, int]()
    for subnetwork in subnetworks:
        found = computed_tensors(structure, subnetwork, numbers)
        for (network, name), number in found.nodes.items():
            costs[number] = structure.graphs[network].by_name[name].multiply_adds
        for stitch, number in found.stitches.items():
            costs[number] = structure.board.stitches[stitch].multiply_adds
    return sum(costs.values())


def _selected(structure: Structure, subnetwork: Genotype | Exit) -> ComputedTensors:
    if isinstance(subnetwork, Exit):
        ends = tuple((subnetwork.network, point) for point in subnetwork.points)
        return ComputedTensors(ends, {})
    subset = structure.board.outputs[int(subnetwork[-1])]
    ends = tuple((i, name) for i in subset for _, name in structure.graphs[i].outputs)
    made = {}
    for switch, choice in zip(structure.board.switches, subnetwork[:-1].tolist(), strict=True):
        stitch = switch.stitches[choice]
        if stitch is not None:
            made[switch.place.network, switch.place.point] = stitch
    return ComputedTensors(ends, made)


def _reads(
    structure: Structure, found: ComputedTensors, ref: NodeRef
) -> list[tuple[NodeRef, int | None]]:
    """Return the nodes that a node reads; in the place of a stitch, the stitch's source."""
    network, name = ref
    reads: list[tuple[NodeRef, int | None]] = []
    for read in structure.graphs[network].by_name[name].inputs:
        stitch = found.made.get((network, read))
        if stitch is None:
            reads.append(((network, read), None))
        else:
            source = structure.board.stitches[stitch].source
            reads.append(((source.network, source.point), stitch))
    return reads
