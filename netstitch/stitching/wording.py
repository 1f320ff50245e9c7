"""A subnetwork in a sentence: "resnet up to layer2.1, then mobilenet from features.7"."""

from collections.abc import Sequence

from netstitch.stitching.sections import Composition, Section
from netstitch.text import counted, listed

MOST = 4
"""Sections that are named one by one; of more, the rest is counted."""


def in_words(found: Composition, names: Sequence[str]) -> str:
    """Return a subnetwork in words: its sections, and its output."""
    chain = _is_chain(found)
    described = [
        part_in_words(part, names) + ("" if chain else _stitched(found, index, names))
        for index, part in enumerate(found.sections)
    ]
    described = _few(described)
    joined = ", then ".join(described) if chain else listed(described)
    if found.of_exit:
        return f"{joined}, and an exit"
    return f"{joined}; the outputs averaged" if _outputs(found) > 1 else joined


def stage_in_words(found: Composition, names: Sequence[str], first: bool) -> str:
    """Return a stage of a cascade in words: its new sections, and those that it reuses.

    Such as "adds mobilenet from features.4 and resnet; reuses mobilenet up to features.3".
    """
    new = [part_in_words(part, names) for part in found.sections if not part.reused]
    reused = [part_in_words(part, names) for part in found.sections if part.reused]
    told = f"{'computes' if first else 'adds'} {listed(_few(new)) if new else 'no layers'}"
    return f"{told}; reuses {listed(_few(reused))}" if reused else told


def part_in_words(part: Section, names: Sequence[str]) -> str:
    """Return the name of a section: its network, and the modules between which it lies."""
    name = names[part.network]
    first, last = module_of(part.first), module_of(part.last)
    if part.whole_start and part.whole_end:
        return name
    if part.whole_start:
        return f"{name} up to {last}"
    if part.whole_end:
        return f"{name} from {first}"
    return f"{name}'s {first}" if first == last else f"{name} from {first} to {last}"


def module_of(path: str) -> str:
    """Return the block that a module stands in: the first two names of its path."""
    return ".".join(path.split(".")[:2])


def span_of(first: str, last: str) -> str:
    """Return two module paths as a span, their common beginning written once."""
    if first == last:
        return first
    ours, theirs = first.split("."), last.split(".")
    pairs = enumerate(zip(ours, theirs, strict=False))
    shared = next((index for index, (a, b) in pairs if a != b), min(len(ours), len(theirs)))
    return f"{first} to {'.'.join(theirs[shared:]) or last}"


def _stitched(found: Composition, index: int, names: Sequence[str]) -> str:
    """Return words on a section's points made by stitches, " with 2 points made from resnet"."""
    edges = [edge for edge in found.edges if edge.target == index]
    if not edges:
        return ""
    sources = dict.fromkeys(names[found.sections[edge.source].network] for edge in edges)
    points = counted(len(edges), "point")
    return f" with {points} made from {listed(list(sources))}"


def _is_chain(found: Composition) -> bool:
    """Return whether each section reads the one before it, and nothing else."""
    reads = {(edge.source, edge.target) for edge in found.edges}
    inputs = [part.reads_input for part in found.sections]
    return (
        reads == {(index, index + 1) for index in range(len(found.sections) - 1)}
        and inputs == [True] + [False] * (len(inputs) - 1)
        and _outputs(found) == 1
    )


def _outputs(found: Composition) -> int:
    return sum(part.gives_output for part in found.sections)


def _few(described: Sequence[str]) -> list[str]:
    """Return the first of some sections, and how many more there are."""
    if len(described) <= MOST:
        return [*described]
    return [*described[: MOST - 1], f"{len(described) - MOST + 1} further parts"]
