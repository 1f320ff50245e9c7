"""Several runs compared: tables for papers, figures, and a page like that of one run."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from netstitch.analysis import Front
from netstitch.analysis.front_figure import fronts_charts, fronts_figure
from netstitch.analysis.front_point import Split
from netstitch.analysis.hypervolume import REACH, ReferencePoint
from netstitch.analysis.significance import Pair, pairwise
from netstitch.analysis.tables import latex, markdown
from netstitch.drawing.print_style import FORMATS
from netstitch.files.folders import new_folder, write_text
from netstitch.records.run_record import RunRecord
from netstitch.report.compared_runs import Comparison
from netstitch.report.comparison_charts import (
    attainment_chart,
    convergence_chart,
    group_stitches_chart,
)
from netstitch.report.report_sections import ReportSection
from netstitch.report.run_page import render_sections

Rows = list[list[str]]


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write compare.html, compare.md, compare.tex, runs.csv and all figures into a new folder.

    Raises:
        StorageError: It is not new or cannot be written; nothing is left.
    """
    sections = comparison_sections(comparison)
    page = render_sections(
        name=f"{len(comparison.runs)} runs compared",
        answer=answer(comparison),
        notes=comparison.notes,
        sections=sections,
        footer=", ".join(str(run.folder) for run in comparison.runs),
    )
    tables = [section for section in sections if section.table]
    markdown_tables = (f"{s.title}. {s.text}\n\n{markdown(s.table)}" for s in tables)
    latex_tables = (latex(s.table, f"{s.title}. {s.text}") for s in tables)
    with new_folder(folder) as partial:
        write_text(partial / "compare.html", page)
        write_text(partial / "compare.md", "\n".join(markdown_tables))
        header = "% needs \\usepackage{booktabs}\n"
        write_text(partial / "compare.tex", header + "\n".join(latex_tables))
        write_text(partial / "runs.csv", runs_table(comparison))
        for section in sections:
            section.print_charts(partial, FORMATS)
        for form in FORMATS:
            fronts_figure(
                _fronts(comparison),
                partial / f"fronts.{form}",
                floor=comparison.over_floor.accuracy,
                columns=2,
            )


def comparison_sections(comparison: Comparison) -> list[ReportSection]:
    """Return tables and charts, with what they show in words."""
    point = _in_words(comparison.over_floor, "accuracy", comparison.unit)
    worst = comparison.over_worst
    part = comparison.parts[-1]
    groups = ReportSection(
        "groups",
        "Groups",
        f"Median of each, lowest to highest in brackets. {point} Those over worst count "
        f"from the accuracy of the worst reference on any samples, {worst.accuracy:.4g}.",
        {},
        group_table(comparison),
    )
    pairs = ReportSection(
        "pairs",
        "Pairs",
        f"Of every two groups, hypervolume on {part} samples: the median difference, "
        "Wilcoxon's signed-rank test where both have the same seeds (rank-sum where not), "
        "corrected for the number of pairs (Holm), and the rank-biserial correlation, from "
        f"-1, all for the second, to 1, all for the first.{_least_p(comparison)}",
        {},
        pair_table(comparison, part),
    )
    fronts = fronts_charts(_fronts(comparison), comparison.over_floor.accuracy)
    each_run = ReportSection(
        "fronts",
        "Fronts",
        "Each run's own front: a mark for each network, and a line that bounds what they dominate. "
        "Networks were chosen on validation samples; on others some fell off the front. Crosses "
        "are the networks that went in; in a shaded region a network dominates one of these.",
        {f"On {part} samples": chart for part, chart in zip(comparison.parts, fronts, strict=True)},
    )
    sections = [groups, pairs, each_run]
    if len({run.scored for run in comparison.runs}) == 1:
        scored = comparison.runs[0].scored
        of_scores = _in_words(comparison.over_scores, scored, comparison.unit)
        convergence = ReportSection(
            "convergence",
            "Convergence",
            "Hypervolume on validation samples: the median run of each group, and a band from "
            f"the first to the third quartile of its runs. {of_scores}",
            {"Over evaluations": convergence_chart(comparison)},
        )
        sections.append(convergence)
    if any(run.history for run in comparison.runs):
        stitches = ReportSection(
            "stitches",
            "Stitches in use",
            "Of the networks evaluated, the mean of each group's runs: how many stitches they use, "
            "and dotted how many they might, had their output depended on them.",
            {"Potential and active stitches": group_stitches_chart(comparison)},
        )
        sections.append(stitches)
    attained = ReportSection(
        "attainment",
        "Attainment",
        "Empirical attainment surfaces: at a cost, the accuracy that half of a group's runs "
        "reach at that cost or less; dotted, what any of them reaches, and what all do.",
        {f"On {each} samples": attainment_chart(comparison, each) for each in comparison.parts},
    )
    return [*sections, attained]


def group_table(comparison: Comparison) -> Rows:
    """Return a row for each group, its runs in numbers."""
    parts = comparison.parts
    head = ["group", "runs", *(f"hypervolume, {part}" for part in parts)]
    head += [f"over worst, {part}" for part in parts]
    rows = [[*head, "networks on the front", "evaluations", "seconds"]]
    for group in comparison.groups:
        cells = [group.name, str(len(group.runs))]
        for volume in (comparison.volume, comparison.volume_over_worst):
            cells += [_range([volume(run, part) for run in group.runs], 4) for part in parts]
        cells.append(_range([len(run.front) for run in group.runs], 0))
        cells.append(_range([len(run.evaluations) for run in group.runs], 0))
        cells.append(_range([run.seconds or 0.0 for run in group.runs], 0))
        rows.append(cells)
    return rows


def _fronts(comparison: Comparison) -> dict[str, list[Front]]:
    return {group.name: [run.front for run in group.runs] for group in comparison.groups}


def _pairs(comparison: Comparison, part: Split) -> tuple[Pair, ...]:
    return pairwise(
        {
            group.name: {
                _seed(run, index): comparison.volume(run, part)
                for index, run in enumerate(group.runs)
            }
            for group in comparison.groups
        }
    )


def pair_table(comparison: Comparison, part: Split) -> Rows:
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
        for pair in _pairs(comparison, part)
    ]
    head = ["first", "second", "runs", "difference", "test", "p", "p, corrected", "effect"]
    return [head, *rows] if rows else []


def runs_table(comparison: Comparison) -> str:
    """Return a row of CSV for each run; what is of its ending is empty where it has none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    parts = comparison.parts
    head = ["group", "run", "seed", *(f"hypervolume_{part}" for part in parts)]
    head += [f"hypervolume_over_worst_{part}" for part in parts]
    counts = ["networks", "evaluations", "skipped", "unchanged", "stopped", "seconds"]
    writer.writerow([*head, *counts])
    for group in comparison.groups:
        for index, run in enumerate(group.runs):
            volumes = [comparison.volume(run, part) for part in parts]
            volumes += [comparison.volume_over_worst(run, part) for part in parts]
            row = [group.name, run.folder, _seed(run, index), *volumes]
            row += [len(run.front), len(run.evaluations), *_ending(run), run.seconds]
            writer.writerow(row)
    return text.getvalue()


def _ending(run: RunRecord) -> tuple[int | str, ...]:
    """Return proposals skipped and unchanged, and why the search ended; nothing before it did."""
    outcome = run.document.outcome
    if outcome is None:
        return "", "", ""
    return outcome.skipped, outcome.unchanged, outcome.stopped


def answer(comparison: Comparison) -> str:
    """Say which group does best, and whether that may be chance."""
    part = comparison.parts[-1]
    medians = {
        group.name: median(comparison.volume(run, part) for run in group.runs)
        for group in comparison.groups
    }
    best = max(medians, key=lambda name: medians[name])
    if len(medians) == 1:
        return (
            f"All runs were asked the same: the median hypervolume is {medians[best]:.4f} on "
            f"{part} samples."
        )
    pairs = _pairs(comparison, part)
    sure = sum(best in (pair.first, pair.second) and pair.corrected < 0.05 for pair in pairs)
    others = len(medians) - 1
    return (
        f"{best} has the most hypervolume on {part} samples, {medians[best]:.4f} in the median; "
        f"beyond chance (p < 0.05, corrected) over {sure} of the {others} "
        f"other{'' if others == 1 else 's'}."
    )


def _in_words(over: ReferencePoint, measure: str, unit: str) -> str:
    """Say what hypervolumes count from."""
    return (
        f"Hypervolumes are over {measure} {over.accuracy:g} and up to {REACH:g} times the "
        f"ensemble's {over.ensemble:,.10g} {unit}, in units of the latter: {REACH:g} would be a "
        f"perfect network without cost, over {measure} 0."
    )


def _least_p(comparison: Comparison) -> str:
    """Say that there are few runs, where no difference could be told from chance."""
    fewest = min(len(group.runs) for group in comparison.groups)
    least = 2.0 ** (1 - fewest)  # of all ways to sign the ranks, two are as far out
    if least <= 0.05:
        return ""
    return (
        f" With {fewest} runs a signed-rank test cannot give a p under {least:g}: run more seeds."
    )


def _seed(run: RunRecord, index: int) -> int:
    """Return the seed that a run was asked; one of its own where none is told."""
    seed = run.document.settings.seed
    return -1 - index if seed is None else seed


def _range(values: Sequence[float], digits: int) -> str:
    middle = f"{median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} [{min(values):,.{digits}f}, {max(values):,.{digits}f}]"
