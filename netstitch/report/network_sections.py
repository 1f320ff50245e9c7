"""The networks of a report: each in words, as a drawing, and as a row of the table."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from netstitch.analysis import Front, FrontPoint, Interval
from netstitch.analysis.dominance import SPLITS, Split
from netstitch.records.run_record import RunRecord
from netstitch.stitching.sections import Composition, composition
from netstitch.stitching.subnetwork_drawing import drawing, error_in_words
from netstitch.stitching.wording import in_words, span_of
from netstitch.text import amount, command, counted


def columns_of(front: Front) -> list[str]:
    """Headings of the table."""
    heads = ["network", "made of", "output", "stitches", "multiply-adds", "of ensemble"]
    for part in _tabled(front):
        heads += [part, "minus ensemble"]
    heads += [f"validation minus {part}" for part in _tabled(front) if part != "validation"]
    return [*heads, "cross-entropy", "calibration error"]


def _tabled(front: Front) -> list[Split]:
    """Parts of the data that have columns; test samples always, since they should be there."""
    return [part for part in SPLITS if part in front.parts or part == "test"]


def words_of(run: RunRecord) -> dict[str, str]:
    """What each network is made of, by label."""
    return {
        point.label: in_words(_composition(run, point), run.structure.names)
        for point in (*run.front.references, *run.front.points)
    }


def described(run: RunRecord, words: Mapping[str, str]) -> list[dict[str, Any]]:
    """What is shown of each network when it is chosen."""
    errors = errors_of(run)
    found = []
    for point in (*run.front.references, *run.front.points):
        made = _composition(run, point)
        title = f"{point.label}: {words[point.label]}"
        found.append(
            {
                "label": point.label,
                "words": words[point.label],
                "summary": _summary(run, point),
                "drawing": drawing(made, run.structure.names, errors, title),
                "command": _command(run, point),
                "parts": _parts(run, made, errors),
            }
        )
    return found


def errors_of(run: RunRecord) -> dict[int, float | None]:
    """The relative error of each stitch, by index; the file has them in their order."""
    rows = run.stitches
    if len(rows) != len(run.structure.board.stitches):
        return {}
    return {index: row.relative_error for index, row in enumerate(rows)}


def row_of(run: RunRecord, point: FrontPoint, words: Mapping[str, str]) -> dict[str, Any]:
    """A row of the table; cells have the number that they are sorted by."""
    ensemble = run.front.ensemble
    share = point.multiply_adds / ensemble.multiply_adds if ensemble is not None else None
    last = run.front.parts[-1]
    calibration, nats = point.calibration.get(last), point.cross_entropy.get(last)
    error = None if calibration is None else calibration.error
    cells = [
        _text(words[point.label]),
        _text(point.output),
        _number(point.stitches, str(point.stitches)),
        _number(point.multiply_adds, amount(point.multiply_adds)),
        _number(share, "" if share is None else f"{share:.0%}"),
    ]
    for part in _tabled(run.front):
        accuracy = point.accuracy(part)
        cells.append(_number(accuracy, "" if accuracy is None else f"{100 * accuracy:.2f} %"))
        cells.append(_interval(point.difference(part)))
    if "confirmation" in run.front.parts:
        cells.append(_interval(point.confirmation_gap))
    cells.append(_interval(point.gap))
    cells.append(_number(nats, "" if nats is None else f"{nats:.4f}"))
    cells.append(_number(error, "" if error is None else f"{error:.4f}"))
    return {
        "label": point.label,
        "share": 100 * (share or 0.0),
        "accuracy": 100 * point.validation,
        "reference": point in run.front.references,
        "cells": cells,
    }


def _composition(run: RunRecord, point: FrontPoint) -> Composition:
    return composition(run.structure, np.array(point.genotype, np.int64))


def _summary(run: RunRecord, point: FrontPoint) -> str:
    ensemble = run.front.ensemble
    cost = f"{amount(point.multiply_adds)} multiply-adds"
    if ensemble is not None:
        cost += f" ({point.multiply_adds / ensemble.multiply_adds:.0%} of the ensemble's)"
    further = "".join(
        f", {100 * accuracy:.2f} % on {part} samples"
        for part in ("confirmation", "test")
        if (accuracy := getattr(point, part)) is not None
    )
    stitches = counted(point.stitches, "active stitch", "active stitches")
    return f"{cost}, {stitches}; {100 * point.validation:.2f} % on validation samples{further}."


def _command(run: RunRecord, point: FrontPoint) -> str:
    if not run.measured:
        return ""
    return command("export", run.folder, "--point", point.label)


def _parts(
    run: RunRecord, made: Composition, errors: Mapping[int, float | None]
) -> list[dict[str, str]]:
    names = run.structure.names
    rows = []
    for index, part in enumerate(made.parts):
        reads = ["the input"] if part.reads_input else []
        reads += [
            f"part {joint.source + 1} by stitch {joint.stitch} "
            f"({error_in_words(errors.get(joint.stitch))}, "
            f"{amount(run.structure.board.stitches[joint.stitch].multiply_adds)})"
            for joint in made.joints
            if joint.target == index
        ]
        rows.append(
            {
                "network": names[part.network],
                "modules": span_of(part.first, part.last),
                "cost": amount(part.multiply_adds),
                "reads": "; ".join(reads),
            }
        )
    return rows


def _text(text: str) -> dict[str, Any]:
    return {"text": text, "value": None}


def _number(value: float | None, text: str) -> dict[str, Any]:
    return {"text": text, "value": value}


def _interval(found: Interval | None) -> dict[str, Any]:
    if found is None:
        return {"text": "", "value": None}
    low, high = 100 * found.low, 100 * found.high
    text = f"{100 * found.difference:+.2f} [{low:+.2f}, {high:+.2f}]"
    return {"text": text, "value": found.difference}
