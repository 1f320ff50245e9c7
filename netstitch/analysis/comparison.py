"""Algorithms compared by a number of each of their runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from scipy.stats import mannwhitneyu

from netstitch.analysis.correction import holm


@dataclass(frozen=True)
class Compared:
    """An algorithm's runs.

    median, least, most: of its runs. p: that the best algorithm's runs differ only by chance, by a
    two-sided Mann-Whitney U test, corrected for the number of tests (Holm); None for the best.
    """

    name: str
    median: float
    least: float
    most: float
    p: float | None


def compare(values: Mapping[str, Sequence[float]]) -> list[Compared]:
    """Each algorithm against the one with the highest median, in the order given.

    values: one or more of each algorithm, higher is better.
    """
    best = max(values, key=lambda name: median(values[name]))
    others = [name for name in values if name != best]
    raw = [float(mannwhitneyu(values[best], values[name]).pvalue) for name in others]
    corrected = dict(zip(others, holm(raw), strict=True))
    return [
        Compared(name, median(found), min(found), max(found), corrected.get(name))
        for name, found in values.items()
    ]
