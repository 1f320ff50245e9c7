"""A run for people: one page of HTML that tells what was found, and lets them look closer."""

from netstitch.report.comparing import Comparison, Group, read_runs
from netstitch.report.comparison import write_comparison
from netstitch.report.figures import write_figures
from netstitch.report.page import page, write_page
from netstitch.report.reading import Recorded, read_run

__all__ = [
    "Comparison",
    "Group",
    "Recorded",
    "page",
    "read_run",
    "read_runs",
    "write_comparison",
    "write_figures",
    "write_page",
]
