"""The tables of a comparison: groups of runs, every two groups, and every run."""

import csv
import io
from collections.abc import Callable, Sequence
from statistics import median

from netstitch.analysis.front_point import Split
from netstitch.analysis.significance import Pair, pairwise
from netstitch.records.run_record import RunRecord
from netstitch.report.compared_runs import Comparison, RunGroup

Rows = list[list[str]]

PLAIN = "plain cascades"
"""The head of hypervolumes of the references and plain cascades, which need no stitches."""

Volume = Callable[[RunRecord, Split], float]
"""The hypervolume of a run on a part of the data, such as `Comparison.volume`."""


def group_table(comparison: Comparison) -> Rows:
    """Return a row for each group, its runs in numbers."""
    parts = comparison.parts
    volumes = {"hypervolume": comparison.volume, "over worst": comparison.volume_over_worst}
    if comparison.cascades:
        volumes |= {
            "with cascades": comparison.volume_with_cascades,
            "with cascades over worst": comparison.volume_with_cascades_over_worst,
        }
    plain = [f"{PLAIN}, {part}" for part in parts] if comparison.plain_runs else []
    head = ["group", "runs", *(f"{name}, {part}" for name in volumes for part in parts)]
    rows = [[*head, *plain, "networks on the front", "evaluations", "seconds"]]
    for group in comparison.groups:
        cells = [group.name, str(len(group.runs))]
        for volume in volumes.values():
            cells += [_range([volume(run, part) for run in group.runs], 4) for part in parts]
        if plain:
            cells += [_plain_range(comparison, group, part) for part in parts]
        cells.append(_range([len(run.front) for run in group.runs], 0))
        cells.append(_range([len(run.evaluations) for run in group.runs], 0))
        cells.append(_range([run.seconds or 0.0 for run in group.runs], 0))
        rows.append(cells)
    return rows


def compared_pairs(comparison: Comparison, part: Split, volume: Volume) -> tuple[Pair, ...]:
    """Return every two groups, compared by a hypervolume of their runs."""
    return pairwise(
        {
            group.name: {
                _seed(run, index): volume(run, part) for index, run in enumerate(group.runs)
            }
            for group in comparison.groups
        }
    )


def pair_table(comparison: Comparison, part: Split, volume: Volume) -> Rows:
    """Return a row for every two groups; nothing where there is one group."""
    rows = [
        [
            pair.first,
            pair.second,
            f"{pair.runs[0]}, {pair.runs[1]}",
            f"{pair.difference:+.4f}",
            "signed-rank" if pair.paired else "rank-sum",
            f"{pair.p:.3f}",
            f"{pair.corrected:.3f}",
            f"{pair.effect:+.2f}",
        ]
        for pair in compared_pairs(comparison, part, volume)
    ]
    head = ["first", "second", "runs", "difference", "test", "p", "p, corrected", "effect"]
    return [head, *rows] if rows else []


def runs_table(comparison: Comparison) -> str:
    """Return a row of CSV for each run; what is of its ending is empty where it has none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    parts = comparison.parts
    kinds = {
        "hypervolume": comparison.volume,
        "hypervolume_over_worst": comparison.volume_over_worst,
        "hypervolume_with_cascades": comparison.volume_with_cascades,
        "hypervolume_with_cascades_over_worst": comparison.volume_with_cascades_over_worst,
    }
    plain = {
        "hypervolume_plain_cascades": comparison.plain_volume,
        "hypervolume_plain_cascades_over_worst": comparison.plain_volume_over_worst,
    }
    names = [f"{name}_{part}" for name in (*kinds, *plain) for part in parts]
    head = ["group", "run", "seed", *names]
    counts = ["networks", "cascades", "evaluations", "skipped", "unchanged", "stopped", "seconds"]
    writer.writerow([*head, *counts])
    for group in comparison.groups:
        for index, run in enumerate(group.runs):
            volumes = [volume(run, part) for volume in kinds.values() for part in parts]
            without = [volume(run, part) for volume in plain.values() for part in parts]
            row = [group.name, run.folder, _seed(run, index), *volumes, *without]
            row += [len(run.front), len(run.front.cascades), len(run.evaluations)]
            row += [*_ending(run), run.seconds]
            writer.writerow(row)
    return text.getvalue()


def _ending(run: RunRecord) -> tuple[int | str, ...]:
    """Return proposals skipped and unchanged, and why the search ended; nothing before it did."""
    outcome = run.document.outcome
    if outcome is None:
        return "", "", ""
    return outcome.skipped, outcome.unchanged, outcome.stopped


def _seed(run: RunRecord, index: int) -> int:
    """Return the seed that a run was asked; one of its own where none is told."""
    seed = run.document.settings.seed
    return -1 - index if seed is None else seed


def _plain_range(comparison: Comparison, group: RunGroup, part: Split) -> str:
    volumes = comparison.plain_volumes(group.runs, part)
    return _range(volumes, 4) if volumes else ""


def _range(values: Sequence[float], digits: int) -> str:
    middle = f"{median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} [{min(values):,.{digits}f}, {max(values):,.{digits}f}]"
