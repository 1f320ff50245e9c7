"""Several runs compared: tables for papers, figures, and a page like that of one run."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from netstitch.analysis import Front
from netstitch.analysis.front_figure import fronts_charts, fronts_figure
from netstitch.analysis.hypervolume import REACH, ReferencePoint
from netstitch.analysis.tables import latex, markdown
from netstitch.drawing.print_style import FORMATS
from netstitch.files.folders import new_folder, write_text
from netstitch.report.compared_runs import Comparison
from netstitch.report.comparison_charts import (
    attainment_chart,
    convergence_chart,
    group_stitches_chart,
)
from netstitch.report.comparison_tables import (
    Volume,
    compared_pairs,
    group_table,
    pair_table,
    runs_table,
)
from netstitch.report.report_sections import ReportSection
from netstitch.report.run_page import render_sections

_PLAIN_TOLD = (
    "Plain cascades are those of the networks that went in, with their exits where these were "
    "fitted: what there is without stitches and search."
)


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
    groups = ReportSection(
        "groups",
        "Groups",
        f"Median of each, lowest to highest in brackets. {point} Those over worst count "
        f"from the accuracy of the worst reference on any samples, {worst.accuracy:.4g}."
        + (" With cascades, these count by their mean cost." if comparison.cascades else "")
        + (f" {_PLAIN_TOLD}" if comparison.plain_runs else ""),
        {},
        group_table(comparison),
    )
    fronts = fronts_charts(_fronts(comparison), comparison.over_floor.accuracy)
    each_run = ReportSection(
        "fronts",
        "Fronts",
        "Each run's own front: a mark for each network, and a line that bounds what they dominate. "
        "Networks were chosen on validation samples; on others some fell off the front. Crosses "
        "are the networks that went in; in a shaded region a network dominates one of these."
        + (" Dashed are plain cascades." if comparison.plain_runs else ""),
        {f"On {part} samples": chart for part, chart in zip(comparison.parts, fronts, strict=True)},
    )
    sections = [groups, *_pairs(comparison), each_run]
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
        "reach at that cost or less; dotted, what any of them reaches, and what all do."
        + (
            " Dashed is what half of the runs reach without stitches."
            if comparison.plain_runs
            else ""
        ),
        {f"On {each} samples": attainment_chart(comparison, each) for each in comparison.parts},
    )
    return [*sections, attained]


def _pairs(comparison: Comparison) -> Iterator[ReportSection]:
    """Return every two groups by their networks, and with cascades where there are some."""
    part = comparison.parts[-1]
    text = (
        f"Of every two groups, hypervolume on {part} samples: the median difference, "
        "Wilcoxon's signed-rank test where both have the same seeds (rank-sum where not), "
        "corrected for the number of pairs (Holm), and the rank-biserial correlation, from "
        f"-1, all for the second, to 1, all for the first.{_least_p(comparison)}"
    )
    table = pair_table(comparison, part, comparison.volume)
    yield ReportSection("pairs", "Pairs", text, {}, table)
    if comparison.cascades:
        table = pair_table(comparison, part, comparison.volume_with_cascades)
        told = f"The same of networks and cascades, these by their mean cost. {text}"
        yield ReportSection("pairs-with-cascades", "Pairs, with cascades", told, {}, table)


def _fronts(comparison: Comparison) -> dict[str, list[Front]]:
    return {group.name: [run.front for run in group.runs] for group in comparison.groups}


def answer(comparison: Comparison) -> str:
    """Say which group does best, and whether that may be chance."""
    text = _best(comparison, comparison.volume, "")
    if not comparison.cascades:
        return text
    text += f" {_best(comparison, comparison.volume_with_cascades, 'With cascades, ')}"
    plain = comparison.plain_volumes(comparison.runs, comparison.parts[-1])
    if not plain:
        return text
    return f"{text} Plain cascades, which need no stitches, have {median(plain):.4f} in the median."


def _best(comparison: Comparison, volume: Volume, told: str) -> str:
    """Say which group does best by a hypervolume; what it is of is told first."""
    part = comparison.parts[-1]
    medians = {
        group.name: median(volume(run, part) for run in group.runs) for group in comparison.groups
    }
    best = max(medians, key=lambda name: medians[name])
    if len(medians) == 1:
        text = f"the median hypervolume is {medians[best]:.4f} on {part} samples."
        return f"{told}{text}" if told else f"All runs were asked the same: {text}"
    pairs = compared_pairs(comparison, part, volume)
    sure = sum(best in (pair.first, pair.second) and pair.corrected < 0.05 for pair in pairs)
    others = len(medians) - 1
    return (
        f"{told}{best} has the most hypervolume on {part} samples, {medians[best]:.4f} in the "
        f"median; beyond chance (p < 0.05, corrected) over {sure} of the {others} "
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
