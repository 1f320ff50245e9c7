"""The demo: two networks for Fashion-MNIST and its images, embedded, and what it exports of them.

The shipped experiment `demo` names them, and `netstitch demo` runs it;
`python -m netstitch.demo.train` makes the embedded files.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netstitch.analysis import CascadePoint, Front, FrontPoint

AFFORDABLE = 0.75
"""The most that the exported network may cost, as a share of the ensemble's multiply-adds."""

AS_GOOD = 0.003
"""The accuracy that a cascade may lose beside the ensemble to count as good as it."""


def choose(front: "Front") -> "FrontPoint":
    """Return the most accurate network on validation samples that is affordable, or the cheapest.

    Accuracy on test samples plays no part in the choice.
    """
    ensemble = front.ensemble
    limit = AFFORDABLE * ensemble.multiply_adds if ensemble is not None else float("inf")
    affordable = [point for point in front if point.multiply_adds <= limit]
    return max(affordable, key=lambda point: point.validation) if affordable else front.points[0]


def choose_cascade(front: "Front") -> "CascadePoint | None":
    """Return the cascade of the least mean cost that is as good as the ensemble, if any.

    The lower end of the 95 % interval of its difference to the ensemble, paired on validation
    samples, is over -AS_GOOD; test samples play no part.
    """
    known = (*front.cascades, *front.plain_cascades)
    beside = [(one, one.validation_difference) for one in known]
    as_good = [one for one, found in beside if found is not None and found.low > -AS_GOOD]
    return min(as_good, key=lambda cascade: cascade.cost, default=None)
