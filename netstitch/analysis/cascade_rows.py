"""The cascades of a front as rows to be read."""

from collections.abc import Sequence

from netstitch.analysis.cascade_point import CascadePoint
from netstitch.analysis.cost_words import column
from netstitch.analysis.front_point import Split
from netstitch.analysis.front_rows import difference_text, percent

STAGES = "stages"
"""The head of the column that has words."""

LISTED = 12
"""Cascades that a table has where it is only looked at; a front may have dozens."""


def listed_cascades(
    cascades: Sequence[CascadePoint], least: float, most: int = LISTED
) -> list[CascadePoint]:
    """Return at most so many of some cascades, spread evenly over those of a least accuracy.

    Where none has that accuracy on validation samples, they are spread over all.
    """
    known = [one for one in cascades if one.validation >= least] or [*cascades]
    if len(known) <= most:
        return known
    step = (len(known) - 1) / (most - 1)
    return [known[round(index * step)] for index in range(most)]


def cascade_rows(
    cascades: Sequence[CascadePoint],
    parts: Sequence[Split],
    whole: float | None,
    cost_name: str,
    unit: str,
) -> list[list[str]]:
    """Return a header and a row for each cascade.

    Mean costs, shares and differences are on the last of the parts of the data that there are
    accuracies of: samples that nothing was chosen by, where there are such.

    Args:
        cascades: In the order of the rows.
        parts: Of the data, validation first.
        whole: The ensemble's cost, where there is one.
        cost_name: The name of the cost.
        unit: Of costs.
    """
    last = parts[-1]
    largest = max((one.worst_cost for one in cascades), default=0.0)
    cost, scale = column(cost_name, unit, largest)
    head = ["cascade", STAGES, "stops first", f"mean {cost}", "of ens.", "worst case"]
    heads = ["val." if part == "validation" else part for part in parts]
    rows = [[*head, *heads, f"{last} minus ensemble", "minus plain"]]
    for one in cascades:
        shares, mean = one.shares.get(last), one.cost_on(last)
        row = [one.label, ", ".join(one.outputs), f"{shares[0]:.0%}" if shares else ""]
        row += [f"{mean / scale:.2f}", _share(mean, whole)]
        row.append(_share(one.worst_cost, whole) or f"{one.worst_cost / scale:.2f}")
        row += [percent(one.accuracy(part)) for part in parts]
        row.append(difference_text(one.difference(last)))
        rows.append([*row, difference_text(one.plain_difference.get(last))])
    return rows


def _share(cost: float, whole: float | None) -> str:
    return f"{cost / whole:.0%}" if whole else ""
