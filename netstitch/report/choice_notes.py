"""Sentences on how a front was chosen: what did not hold, and how far validation flatters."""

from collections.abc import Iterator, Sequence

from netstitch.analysis import Front
from netstitch.analysis.flattery import flattery
from netstitch.analysis.front_point import MeasuredPoint, Split
from netstitch.analysis.front_rows import difference_text
from netstitch.text import counted


def choice_notes(front: Front) -> list[str]:
    """Return sentences on how the networks and cascades of a front were chosen, where it has any.

    That is how many did not hold on confirmation samples, and by how much validation flatters.
    """
    if not front.points and not front.unconfirmed:
        return []
    parts = front.parts[1:]
    notes = [*_unconfirmed(front)]
    for part in parts:
        notes += _flattered(front, part)
    if not parts:
        notes.append(
            "Networks were measured on validation samples alone, which chose them, so that "
            "accuracies are too good; test samples, or [task] confirmation, would tell by how much."
        )
    return notes


def _unconfirmed(front: Front) -> Iterator[str]:
    """Say how many of the networks that validation proposed confirmation samples took away."""
    dropped = len(front.unconfirmed)
    if dropped:
        proposed = counted(len(front.points) + dropped, "network")
        yield (
            f"{dropped} of {proposed} did not hold on confirmation samples: with these counted "
            f"too, others are as good and need no more {front.cost_name}. In front.csv their "
            "kind is unconfirmed network."
        )


def _flattered(front: Front, part: Split) -> Iterator[str]:
    """Say how much better validation shows what it chose, beside the ensemble, than a part does.

    What confirmation samples took away was proposed by validation too, so that on these it counts.
    """
    given = {one.genotype for one in front.references}
    proposed = (*front.points, *(front.unconfirmed if part == "confirmation" else ()))
    kinds: dict[str, Sequence[MeasuredPoint]] = {
        "network": [one for one in proposed if one.exit or one.genotype not in given],
        "cascade": front.cascades,
    }
    for kind, points in kinds.items():
        found = flattery(points, part)
        if found is None:
            continue
        if found.low > 0:
            verdict = "validation flatters by that much"
        elif found.high < 0:
            verdict = "validation does not flatter"
        else:
            verdict = "this may be chance"
        yield (
            f"Beside the ensemble, which was not chosen, {counted(len(points), kind)} chosen by "
            f"validation samples stand {difference_text(found)} points better on these than on "
            f"{part} samples, in the mean: {verdict}."
        )
