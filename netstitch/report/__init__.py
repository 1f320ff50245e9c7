"""A run for people: one page of HTML that tells what was found, and lets them look closer."""

from netstitch.report.compared_runs import Comparison, RunGroup, read_runs
from netstitch.report.comparison_page import write_comparison
from netstitch.report.report_sections import write_figures
from netstitch.report.run_page import page, write_page

__all__ = [
    "Comparison",
    "RunGroup",
    "page",
    "read_runs",
    "write_comparison",
    "write_figures",
    "write_page",
]
