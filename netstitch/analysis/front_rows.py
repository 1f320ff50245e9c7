"""The networks of a front as rows: text to be read, and plain numbers as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from html import escape

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
    *("label", "cost", "mean_cost", "worst_cost", "validation", "test"),
    *("genotype", "multiply_adds", "stitches", "output", "parameters", "confirmation"),
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
    """Return the rows of `Front.table`; `whole` is the ensemble's cost, where there is one."""
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
        own = point.columns()
        stitches = "exit" if own.get("exit") else str(own.get("stitches", ""))
        row = [point.label, point.output, stitches, f"{point.cost / scale:.2f}"]
        row.append(f"{point.cost / whole:.0%}" if whole else "")
        for part in parts:
            row += [percent(point.accuracy(part)), difference_text(point.difference(part))]
        row += [f"{point.cross_entropy[p]:.4f}" if p in point.cross_entropy else "" for p in nats]
        rows.append([*row, *(percent(point.further.get(name)) for name in further)])
    return rows


def filled(rows: Rows) -> list[list[str]]:
    """Return a table without the columns that have no value in any row; the first one stays."""
    head, *body = rows
    used = [index for index in range(len(head)) if index == 0 or any(row[index] for row in body)]
    return [[row[index] for index in used] for row in rows]


def html_table(rows: Rows) -> str:
    """Return a table of HTML, without the columns that `filled` leaves out."""
    head, *body = filled(rows)
    cells = "".join(f"<th>{escape(heading)}</th>" for heading in head)
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in body
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table>"


def csv_text(points: Mapping[str, Sequence[MeasuredPoint]], cost_name: str, unit: str) -> str:
    """Return points as CSV, with a header; they are given by their kind, the first column."""
    everything = [point for each in points.values() for point in each]
    columns = [
        *("kind", *_PLAIN),
        *(f"{name}{end}" for name in _INTERVALS for end in ("", "_low", "_high")),
        *(f"{part}_{name}" for name in _LOGITS for part in SPLITS),
        *("cost_name", "unit"),
        *_further(everything),
    ]
    own = [name for point in everything for name in point.columns()]
    columns += [name for name in dict.fromkeys(own) if name not in _PLAIN]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for kind, those in points.items():
        common = {"kind": kind, "cost_name": cost_name, "unit": unit}
        writer.writerows(common | _csv_row(point) for point in those)
    return text.getvalue()


def _csv_row(point: MeasuredPoint) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(point, name) for name in _MEASURED}
    row |= {"mean_cost": point.cost, "worst_cost": point.worst_case} | point.columns()
    for name in _INTERVALS:
        found: Interval | None = getattr(point, name)
        if found is not None:
            row |= found.columns(name)
    row |= {f"{part}_cross_entropy": nats for part, nats in point.cross_entropy.items()}
    for part, one in point.calibration.items():
        row[f"{part}_calibration_error"] = one.error
        row[f"{part}_calibration_error_of_ten_bins"] = one.error_of_ten_bins
    return row | point.further


def _further(networks: Sequence[MeasuredPoint]) -> list[str]:
    """Return the names of further measures, in the order in which they first occur."""
    return list(dict.fromkeys(name for point in networks for name in point.further))


def percent(share: float | None) -> str:
    """Return a share in percent; nothing for none."""
    return "" if share is None else f"{100 * share:.2f}"


def difference_text(interval: Interval | None) -> str:
    """Return a difference in points with its interval, such as "+0.10 [-0.05, +0.25]"."""
    if interval is None:
        return ""
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.difference:+.2f} [{low:+.2f}, {high:+.2f}]"
