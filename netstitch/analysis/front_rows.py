"""The networks of a front as rows: text to be read, and plain numbers for a file of CSV."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netstitch.analysis.bootstrap import Interval
from netstitch.analysis.dominance import SPLITS
from netstitch.analysis.front_point import ACCURACY, MULTIPLY_ADDS, FrontPoint
from netstitch.text import unit_and_scale

if TYPE_CHECKING:
    from netstitch.analysis.front import Front

_HEADS = {"validation": "val."}
_PLAIN = (
    *("label", "genotype", "multiply_adds", "cost", "stitches", "validation", "test", "output"),
    *("parameters", "confirmation"),
)
_INTERVALS = (
    *("validation_difference", "test_difference", "gap"),
    *("confirmation_difference", "confirmation_gap"),
)


def table_rows(front: "Front") -> list[list[str]]:
    """Return what `Front.table` does."""
    points = (*front.references, *front.points)
    parts = [part for part in SPLITS if part in front.parts or part == "test"]
    nats = parts if front.objective != ACCURACY else []
    whole = front.ensemble.cost if front.ensemble else None
    further = further_names(points)
    if front.cost_name == MULTIPLY_ADDS:
        cost, scale = "MACs (M)", 1e6
    else:
        prefix, scale = unit_and_scale(max((point.cost for point in points), default=0.0))
        cost = f"{front.cost_name} ({prefix}{'' if front.unit == front.cost_name else front.unit})"
    head = ["network", "output", "stitches", cost.removesuffix(" ()"), "of ens."]
    for part in parts:
        head += [part, f"{_HEADS.get(part, part)} minus ensemble"]
    head += [*(f"{part} cross-entropy" for part in nats), *further]
    rows = [head]
    for point in points:
        row = [point.label, point.output, str(point.stitches), f"{point.cost / scale:.2f}"]
        row.append(f"{point.cost / whole:.0%}" if whole else "")
        for part in parts:
            row += [_percent(point.accuracy(part)), difference_text(point.difference(part))]
        row += [f"{point.cross_entropy[p]:.4f}" if p in point.cross_entropy else "" for p in nats]
        rows.append([*row, *(_percent(point.further.get(name)) for name in further)])
    return rows


def csv_columns(front: "Front") -> list[str]:
    """Return the columns of `csv_rows`."""
    return [
        *("kind", *_PLAIN),
        *(f"{name}{end}" for name in _INTERVALS for end in ("", "_low", "_high")),
        *(f"{part}_{name}" for name in ("cross_entropy", "calibration_error") for part in SPLITS),
        *("cost_name", "unit"),
        *further_names((*front.references, *front.points)),
    ]


def csv_rows(front: "Front") -> list[dict[str, object]]:
    """Return the reference networks and points by column, without those that have no value."""
    rows = [_csv_row("reference", point) for point in front.references]
    rows += [_csv_row("front", point) for point in front.points]
    return [row | {"cost_name": front.cost_name, "unit": front.unit} for row in rows]


def _csv_row(kind: str, point: FrontPoint) -> dict[str, object]:
    row: dict[str, object] = {"kind": kind} | {name: getattr(point, name) for name in _PLAIN}
    row["genotype"] = " ".join(map(str, point.genotype))
    for name in _INTERVALS:
        found: Interval | None = getattr(point, name)
        if found is not None:
            row |= {name: found.difference, f"{name}_low": found.low, f"{name}_high": found.high}
    row |= {f"{part}_cross_entropy": nats for part, nats in point.cross_entropy.items()}
    row |= {f"{part}_calibration_error": one.error for part, one in point.calibration.items()}
    return row | point.further


def further_names(points: Sequence[FrontPoint]) -> list[str]:
    """Return the names of further measures, in the order in which they first occur."""
    return list(dict.fromkeys(name for point in points for name in point.further))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def difference_text(interval: Interval | None) -> str:
    """Return a difference in points with its interval, such as "+0.10 [-0.05, +0.25]"."""
    if interval is None:
        return ""
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.difference:+.2f} [{low:+.2f}, {high:+.2f}]"
