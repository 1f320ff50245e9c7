"""The networks of a report: each in words, as a drawing, and as a row of the table."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netstitch.analysis import Front, FrontPoint
from netstitch.records.run_record import RunRecord
from netstitch.report.point_table import Cell, cells_of, in_costs, on_samples, share_of
from netstitch.stitching.sections import Composition, composition
from netstitch.stitching.subnetwork_drawing import drawing, error_in_words
from netstitch.stitching.wording import in_words, span_of
from netstitch.text import command, counted, short_number


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


def errors_of(run: RunRecord) -> dict[int, float | None]:
    """Return the relative errors of stitches by index, as far as they are known."""
    if len(run.stitches) != len(run.structure.board.stitches):
        return {}
    return {index: row.relative_error for index, row in enumerate(run.stitches)}


def shown_networks(run: RunRecord) -> list[ShownNetwork]:
    """Return the references and the networks of the front as the page shows them."""
    front, names = run.front, run.structure.names
    errors, found = errors_of(run), []
    for point in front.networks:
        made = composition(run.structure, point.exit or np.array(point.genotype, np.int64))
        words = in_words(made, names)
        found.append(
            ShownNetwork(
                point.label,
                words,
                _summary(front, point),
                drawing(made, names, errors, f"{point.label}: {words}"),
                command("export", run.folder, "--point", point.label) if run.measured else "",
                _parts(run, made, errors),
                100 * (share_of(front, point.cost) or 0.0),
                100 * point.validation,
                point in front.references,
                cells_of(front, point, words),
            )
        )
    return found


def _summary(front: Front, point: FrontPoint) -> str:
    stitches = counted(point.stitches, "active stitch", "active stitches")
    kind = stitches if point.exit is None else "an exit, the beginning of a basis network"
    return f"{in_costs(front, point.cost)}, {kind}; {on_samples(point)}."


def _parts(
    run: RunRecord, made: Composition, errors: Mapping[int, float | None]
) -> list[dict[str, str]]:
    rows = []
    for index, part in enumerate(made.sections):
        reads = ["the input"] if part.reads_input else []
        reads += [
            f"part {edge.source + 1} by stitch {edge.stitch} "
            f"({error_in_words(errors.get(edge.stitch))}, "
            f"{short_number(run.structure.board.stitches[edge.stitch].multiply_adds)})"
            for edge in made.edges
            if edge.target == index
        ]
        rows.append(
            {
                "network": run.structure.names[part.network],
                "modules": span_of(part.first, part.last),
                "multiply_adds": short_number(part.multiply_adds),
                "reads": "; ".join(reads),
            }
        )
    return rows
