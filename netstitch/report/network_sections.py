"""The networks of a report: each in words, as a drawing, and as a row of the table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netstitch.analysis import Front, FrontPoint, Interval
from netstitch.analysis.front_point import SPLITS, Split
from netstitch.analysis.front_rows import difference_text
from netstitch.records.run_record import RunRecord
from netstitch.stitching.sections import Composition, composition
from netstitch.stitching.subnetwork_drawing import drawing, error_in_words
from netstitch.stitching.wording import in_words, span_of
from netstitch.text import amount, command, counted


class Cell(NamedTuple):
    """A cell of the table, and the number that it is sorted by."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class ShownNetwork:
    """A network of the front or a reference, as the page shows it.

    Attributes:
        words: What it is made of.
        parts: Rows of the table of its sections.
        share: Of the ensemble's cost, in percent, as `accuracy` on validation samples is.
        cells: Its row of the table of networks, behind the label.
    """

    label: str
    words: str
    summary: str
    drawing: str
    command: str
    parts: list[dict[str, str]]
    share: float
    accuracy: float
    reference: bool
    cells: list[Cell]


def columns_of(front: Front) -> list[str]:
    """Return the headings of the table."""
    unit = "" if front.unit == front.cost_name else f" ({front.unit})"
    heads = ["network", "made of", "output", "stitches", front.cost_name + unit, "of ensemble"]
    for part in _tabled(front):
        heads += [part, "minus ensemble"]
    heads += [f"validation minus {part}" for part in _tabled(front)[1:]]
    return [*heads, "cross-entropy", "calibration error", "calibration error, 10 bins"]


def _tabled(front: Front) -> list[Split]:
    """Return the parts of the data that have columns; test samples always: they should be there."""
    return [part for part in SPLITS if part in front.parts or part == "test"]


def shown_networks(run: RunRecord) -> list[ShownNetwork]:
    """Return the references and the networks of the front as the page shows them."""
    front, names = run.front, run.structure.names
    errors: dict[int, float | None] = {}
    if len(run.stitches) == len(run.structure.board.stitches):
        errors = {index: row.relative_error for index, row in enumerate(run.stitches)}
    found = []
    for point in (*front.references, *front.points):
        made = composition(run.structure, np.array(point.genotype, np.int64))
        words = in_words(made, names)
        share = point.cost / front.ensemble_cost if front.ensemble is not None else None
        found.append(
            ShownNetwork(
                point.label,
                words,
                _summary(front, point, share),
                drawing(made, names, errors, f"{point.label}: {words}"),
                command("export", run.folder, "--point", point.label) if run.measured else "",
                _parts(run, made, errors),
                100 * (share or 0.0),
                100 * point.validation,
                point in front.references,
                _cells(front, point, words, share),
            )
        )
    return found


def _cells(front: Front, point: FrontPoint, words: str, share: float | None) -> list[Cell]:
    calibration = point.calibration.get(front.parts[-1])
    cells = [
        Cell(words),
        Cell(point.output),
        Cell(str(point.stitches), point.stitches),
        Cell(amount(point.cost), point.cost),
        _number(share, "{:.0%}"),
    ]
    for part in _tabled(front):
        accuracy = point.accuracy(part)
        cells.append(_number(None if accuracy is None else 100 * accuracy, "{:.2f} %"))
        cells.append(_interval(point.difference(part)))
    cells += [_interval(point.gap_to(part)) for part in _tabled(front)[1:]]
    cells.append(_number(point.cross_entropy.get(front.parts[-1]), "{:.4f}"))
    cells.append(_number(None if calibration is None else calibration.error, "{:.4f}"))
    tenths = None if calibration is None else calibration.error_of_ten_bins
    cells.append(_number(tenths, "{:.4f}"))
    return cells


def _summary(front: Front, point: FrontPoint, share: float | None) -> str:
    cost = f"{amount(point.cost)} {front.unit}"
    if share is not None:
        cost += f" ({share:.0%} of the ensemble's)"
    further = "".join(
        f", {100 * accuracy:.2f} % on {part} samples"
        for part in SPLITS[1:]
        if (accuracy := point.accuracy(part)) is not None
    )
    stitches = counted(point.stitches, "active stitch", "active stitches")
    return f"{cost}, {stitches}; {100 * point.validation:.2f} % on validation samples{further}."


def _parts(
    run: RunRecord, made: Composition, errors: Mapping[int, float | None]
) -> list[dict[str, str]]:
    rows = []
    for index, part in enumerate(made.sections):
        reads = ["the input"] if part.reads_input else []
        reads += [
            f"part {edge.source + 1} by stitch {edge.stitch} "
            f"({error_in_words(errors.get(edge.stitch))}, "
            f"{amount(run.structure.board.stitches[edge.stitch].multiply_adds)})"
            for edge in made.edges
            if edge.target == index
        ]
        rows.append(
            {
                "network": run.structure.names[part.network],
                "modules": span_of(part.first, part.last),
                "multiply_adds": amount(part.multiply_adds),
                "reads": "; ".join(reads),
            }
        )
    return rows


def _number(value: float | None, form: str) -> Cell:
    return Cell("" if value is None else form.format(value), value)


def _interval(found: Interval | None) -> Cell:
    return Cell(difference_text(found), None if found is None else found.difference)
