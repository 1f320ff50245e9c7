"""The demo: two networks for Fashion-MNIST and its images, embedded, and what it exports of them.

The shipped experiment `demo` names them, and `netstitch demo` runs it;
`python -m netstitch.demo.train` makes the embedded files.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netstitch.analysis import Front, FrontPoint

AFFORDABLE = 0.75
"""The most that the exported network may cost, as a share of the ensemble's multiply-adds."""


def choose(front: "Front") -> "FrontPoint":
    """Return the most accurate network on validation samples that is affordable, or the cheapest.

    Accuracy on test samples plays no part in the choice.
    """
    ensemble = front.ensemble
    limit = AFFORDABLE * ensemble.multiply_adds if ensemble is not None else float("inf")
    affordable = [point for point in front if point.multiply_adds <= limit]
    return max(affordable, key=lambda point: point.validation) if affordable else front.points[0]
