"""Analysis: the front as data, in tables and figures, with how sure its differences are.

Knows accuracies and costs, and runs no network: a front can be read and drawn anywhere.
"""

from netstitch.analysis.bootstrap import Interval, paired_difference
from netstitch.analysis.cascade_point import CascadePoint
from netstitch.analysis.dominance import nondominated
from netstitch.analysis.front import Front, make_front
from netstitch.analysis.front_figure import front_figure
from netstitch.analysis.front_point import SPLITS, FrontPoint, ObjectiveName, Split
from netstitch.analysis.hypervolume import hypervolume
from netstitch.analysis.tables import front_table

__all__ = [
    "SPLITS",
    "CascadePoint",
    "Front",
    "FrontPoint",
    "Interval",
    "ObjectiveName",
    "Split",
    "front_figure",
    "front_table",
    "hypervolume",
    "make_front",
    "nondominated",
    "paired_difference",
]
