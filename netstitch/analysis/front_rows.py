"""The networks of a front as rows: text to be read, and plain numbers as CSV."""

import csv
import io
from collections.abc import Sequence

from netstitch.analysis.bootstrap import Interval
from netstitch.analysis.cost_words import column
from netstitch.analysis.front_point import (
    ACCURACY,
    SPLITS,
    MeasuredPoint,
    ObjectiveName,
    Split,
)

Rows = Sequence[Sequence[str]]
"""A header and rows below it."""

_HEADS = {"validation": "val."}
_MEASURED = ("label", "cost", "validation", "test", "output", "confirmation")
_PLAIN = (
    *("label", "genotype", "multiply_adds", "cost", "stitches", "validation", "test", "output"),
    *("parameters", "confirmation"),
)
"""Columns of every file, also where its points have no genotype."""
_LOGITS = ("cross_entropy", "calibration_error", "calibration_error_of_ten_bins")
_INTERVALS = (
    *("validation_difference", "test_difference", "gap"),
    *("confirmation_difference", "confirmation_gap"),
)


def table_rows(
    networks: Sequence[MeasuredPoint],
    measured: Sequence[Split],
    objective: ObjectiveName,
    whole: float | None,
    cost_name: str,
    unit: str,
) -> list[list[str]]:
    """Return what `Front.table` does; `whole` is the ensemble's cost, where there is one."""
    parts = [part for part in SPLITS if part in measured or part == "test"]
    nats = parts if objective != ACCURACY else []
    further = _further(networks)
    largest = max((point.cost for point in networks), default=0.0)
    cost, scale = column(cost_name, unit, largest)
    head = ["network", "output", "stitches", cost, "of ens."]
    for part in parts:
        head += [part, f"{_HEADS.get(part, part)} minus ensemble"]
    rows = [[*head, *(f"{part} cross-entropy" for part in nats), *further]]
    for point in networks:
        stitches = str(point.columns().get("stitches", ""))
        row = [point.label, point.output, stitches, f"{point.cost / scale:.2f}"]
        row.append(f"{point.cost / whole:.0%}" if whole else "")
        for part in parts:
            row += [_percent(point.accuracy(part)), difference_text(point.difference(part))]
        row += [f"{point.cross_entropy[p]:.4f}" if p in point.cross_entropy else "" for p in nats]
        rows.append([*row, *(_percent(point.further.get(name)) for name in further)])
    return rows


def filled(rows: Rows) -> list[list[str]]:
    """Return a table without the columns that have no value in any row; the first one stays."""
    head, *body = rows
    used = [index for index in range(len(head)) if index == 0 or any(row[index] for row in body)]
    return [[row[index] for index in used] for row in rows]


def csv_text(
    references: Sequence[MeasuredPoint], points: Sequence[MeasuredPoint], cost_name: str, unit: str
) -> str:
    """Return reference networks and points as CSV, with a header."""
    columns = [
        *("kind", *_PLAIN),
        *(f"{name}{end}" for name in _INTERVALS for end in ("", "_low", "_high")),
        *(f"{part}_{name}" for name in _LOGITS for part in SPLITS),
        *("cost_name", "unit"),
        *_further([*references, *points]),
    ]
    own = [name for point in (*references, *points) for name in point.columns()]
    columns += [name for name in dict.fromkeys(own) if name not in _PLAIN]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for kind, networks in (("reference", references), ("front", points)):
        common = {"kind": kind, "cost_name": cost_name, "unit": unit}
        writer.writerows(common | _csv_row(point) for point in networks)
    return text.getvalue()


def _csv_row(point: MeasuredPoint) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(point, name) for name in _MEASURED} | point.columns()
    for name in _INTERVALS:
        found: Interval | None = getattr(point, name)
        if found is not None:
            row |= {name: found.difference, f"{name}_low": found.low, f"{name}_high": found.high}
    row |= {f"{part}_cross_entropy": nats for part, nats in point.cross_entropy.items()}
    for part, one in point.calibration.items():
        row[f"{part}_calibration_error"] = one.error
        row[f"{part}_calibration_error_of_ten_bins"] = one.error_of_ten_bins
    return row | point.further


def _further(networks: Sequence[MeasuredPoint]) -> list[str]:
    """Return the names of further measures, in the order in which they first occur."""
    return list(dict.fromkeys(name for point in networks for name in point.further))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def difference_text(interval: Interval | None) -> str:
    """Return a difference in points with its interval, such as "+0.10 [-0.05, +0.25]"."""
    if interval is None:
        return ""
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.difference:+.2f} [{low:+.2f}, {high:+.2f}]"
