"""How well each stitch translates, and how deep in its networks it lies."""

import csv
import io
from functools import cache

from netstitch.errors import FittingError
from netstitch.networks.graph import Graph
from netstitch.networks.module import ancestors
from netstitch.stitching.stitch import FeatureRef
from netstitch.supernet.supernet import Supernet

HEADER = (
    "match", "source", "source_point", "source_depth", "target", "target_point", "target_depth",
    "relative_error",
)  # fmt: skip


def stitch_table(supernet: Supernet) -> str:
    """A CSV table of a fitted supernet's stitches, in their order.

    A depth is the share of a network's multiply-adds that a point depends on, its own included, 0
    to 1. The error is that of the fit, on samples apart; see `StitchFit`. Empty where a target does
    not vary.

    Raises FittingError where nothing was fitted.
    """
    report = supernet.fit_report
    if report is None:
        raise FittingError("the supernet's stitches were not fitted: call fit first")

    @cache
    def end(place: FeatureRef) -> tuple[str, str, str]:
        depth = depth_of(supernet.graphs[place.network], place.point)
        return supernet.names[place.network], place.point, f"{depth:.4f}"

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for row in report.rows:
        error = "" if row.relative_error is None else f"{row.relative_error:.6g}"
        writer.writerow([row.match, *end(row.source), *end(row.target), error])
    return text.getvalue()


def depth_of(graph: Graph, name: str) -> float:
    """The share of a graph's multiply-adds that a node depends on, its own included."""
    needed = sum(graph.by_name[one].multiply_adds for one in ancestors(graph, [name]))
    return needed / max(1, graph.multiply_adds)
