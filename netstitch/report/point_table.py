"""The table of a report: a row for each network and cascade, that sorts and filters."""

from typing import NamedTuple

from netstitch.analysis import CascadePoint, Front, Interval
from netstitch.analysis.front_choice import AnyPoint
from netstitch.analysis.front_point import SPLITS, Split
from netstitch.analysis.front_rows import difference_text
from netstitch.text import short_number


class Cell(NamedTuple):
    """A cell of the table, and the number that it is sorted by."""

    text: str
    value: float | None = None


def columns_of(front: Front) -> list[str]:
    """Return the headings of the table."""
    unit = "" if front.unit == front.cost_name else f" ({front.unit})"
    cost = front.cost_name + unit
    heads = ["network", "made of", "output", "stitches"]
    heads += [f"mean {cost}" if _staged(front) else cost, "of ensemble"]
    if _staged(front):
        heads += ["worst case, of ensemble", "stops first"]
    for part in _tabled(front):
        heads += [part, "minus ensemble"]
    if _staged(front):
        heads.append("minus plain cascade")
    heads += [f"validation minus {part}" for part in _tabled(front)[1:]]
    return [*heads, "cross-entropy", "calibration error", "calibration error, 10 bins"]


def cells_of(front: Front, point: AnyPoint, words: str) -> list[Cell]:
    """Return the row of a point, behind its label."""
    last = front.parts[-1]
    share = share_of(front, point.cost)
    cells = [
        Cell(words),
        Cell(point.output),
        Cell(str(point.stitches), point.stitches),
        Cell(short_number(point.cost), point.cost),
        _number(share, "{:.0%}"),
    ]
    if _staged(front):
        cells.append(_number(share_of(front, point.worst_case), "{:.0%}"))
        shares = point.shares.get(last) if isinstance(point, CascadePoint) else None
        cells.append(_number(shares[0] if shares else None, "{:.0%}"))
    for part in _tabled(front):
        accuracy = point.accuracy(part)
        cells.append(_number(None if accuracy is None else 100 * accuracy, "{:.2f} %"))
        cells.append(_interval(point.difference(part)))
    if _staged(front):
        plain = point.plain_difference.get(last) if isinstance(point, CascadePoint) else None
        cells.append(_interval(plain))
    cells += [_interval(point.gap_to(part)) for part in _tabled(front)[1:]]
    cells.append(_number(point.cross_entropy.get(last), "{:.4f}"))
    calibration = point.calibration.get(last)
    cells.append(_number(None if calibration is None else calibration.error, "{:.4f}"))
    tenths = None if calibration is None else calibration.error_of_ten_bins
    cells.append(_number(tenths, "{:.4f}"))
    return cells


def share_of(front: Front, cost: float) -> float | None:
    """Return a cost as a share of the ensemble's, where there is one."""
    return None if front.ensemble is None else cost / front.ensemble_cost


def in_costs(front: Front, cost: float) -> str:
    """Return a cost in words, with its share of the ensemble's."""
    share, told = share_of(front, cost), f"{short_number(cost)} {front.unit}"
    return told if share is None else f"{told} ({share:.0%} of the ensemble's)"


def on_samples(point: AnyPoint) -> str:
    """Return the accuracies in words."""
    known = [(part, a) for part in SPLITS if (a := point.accuracy(part)) is not None]
    return ", ".join(f"{100 * accuracy:.2f} % on {part} samples" for part, accuracy in known)


def _staged(front: Front) -> bool:
    return front.has_cascades


def _tabled(front: Front) -> list[Split]:
    """Return the parts of the data that have columns; test samples always: they should be there."""
    return [part for part in SPLITS if part in front.parts or part == "test"]


def _number(value: float | None, form: str) -> Cell:
    return Cell("" if value is None else form.format(value), value)


def _interval(found: Interval | None) -> Cell:
    return Cell(difference_text(found), None if found is None else found.difference)
