"""A cost in words: on an axis, and at the head of a column with the scale of its numbers."""

from netstitch.text import unit_and_scale

MULTIPLY_ADDS_NAME = "multiply-adds"
"""Name and unit of the cost of a front that does not say another."""


def axis_label(cost_name: str, unit: str) -> str:
    """Return a cost with its unit, for an axis."""
    if cost_name == MULTIPLY_ADDS_NAME:
        return f"{cost_name} per sample"
    return cost_name + ("" if unit == cost_name else f", {unit}")


def column(cost_name: str, unit: str, largest: float) -> tuple[str, float]:
    """Return the head of a column of costs, and what its numbers are divided by."""
    if cost_name == MULTIPLY_ADDS_NAME:
        return "MACs (M)", 1e6
    prefix, scale = unit_and_scale(largest)
    counted = prefix + ("" if unit == cost_name else unit)
    return f"{cost_name} ({counted})" if counted else cost_name, scale
