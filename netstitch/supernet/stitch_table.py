"""A table of a supernet's stitches: how deep each lies, and how well it translates."""

import csv
import io
from functools import cache

from netstitch.errors import FittingError
from netstitch.networks.counting import share_before
from netstitch.stitching.stitch import FeatureRef
from netstitch.supernet.supernet import Supernet

HEADER = (
    "match", "source", "source_point", "source_depth", "target", "target_point", "target_depth",
    "relative_error",
)  # fmt: skip


def stitch_table(supernet: Supernet) -> str:
    """Return a CSV table of a fitted supernet's stitches, in their order.

    A depth is the share of a network's multiply-adds, 0 to 1, that computing a point takes. The
    error is that of the fit on held-out samples (`StitchFit`), empty where a target does not vary.

    Raises:
        FittingError: where nothing was fitted.
    """
    report = supernet.fit_report
    if report is None:
        raise FittingError("the supernet's stitches were not fitted: call fit first")

    @cache
    def end(point: FeatureRef) -> tuple[str, str, str]:
        depth = share_before(supernet.graphs[point.network], point.point)
        return supernet.names[point.network], point.point, f"{depth:.4f}"

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for row in report.rows:
        error = "" if row.relative_error is None else f"{row.relative_error:.6g}"
        writer.writerow([row.match, *end(row.source), *end(row.target), error])
    return text.getvalue()
