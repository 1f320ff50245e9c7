"""How well each stitch translates, and how deep in its networks it lies."""

import csv
import io
from collections.abc import Sequence

from netstitch.errors import FittingError
from netstitch.networks.graph import Graph
from netstitch.stitching.stitch import Place
from netstitch.supernet import Supernet

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
    depths = [depths_of(graph) for graph in supernet.graphs]

    def end(place: Place) -> tuple[str, str, str]:
        depth = depths[place.network][place.point]
        return supernet.names[place.network], place.point, f"{depth:.4f}"

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for row in report.rows:
        error = "" if row.relative_error is None else f"{row.relative_error:.6g}"
        writer.writerow([row.match, *end(row.source), *end(row.target), error])
    return text.getvalue()


def depths_of(graph: Graph) -> dict[str, float]:
    """By node, the share of the graph's multiply-adds that it depends on, its own included."""
    behind: dict[str, frozenset[int]] = {}  # numbers of the nodes that cost something
    costs: list[int] = []
    for node in graph.nodes:
        needed = frozenset[int]().union(*(behind[name] for name in node.inputs))
        if node.multiply_adds:
            needed |= {len(costs)}
            costs.append(node.multiply_adds)
        behind[node.name] = needed
    whole = max(1, sum(costs))
    return {name: _sum(costs, needed) / whole for name, needed in behind.items()}


def _sum(costs: Sequence[int], numbers: frozenset[int]) -> int:
    return sum(costs[number] for number in numbers)
