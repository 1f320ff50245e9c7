"""The gain on validation samples that points owe to being chosen by them."""

from collections.abc import Sequence
from math import hypot

from netstitch.analysis.bootstrap import Interval
from netstitch.analysis.front_point import MeasuredPoint, Split


def flattery(points: Sequence[MeasuredPoint], on: Split) -> Interval | None:
    """Return the mean excess of accuracy on validation over other samples, beside the ensemble's.

    The ensemble is chosen by no samples, so that what makes a part of the data easy for all
    networks cancels out. The result is the mean over points; None where none has its difference to
    the ensemble on both parts. The interval of a point takes these two differences, of other
    samples each, as independent. That of the mean is the mean of their ends, as if all points
    erred together: it is too wide rather than too narrow.
    """
    found = [
        (seen, unseen)
        for point in points
        if (seen := point.difference("validation")) and (unseen := point.difference(on))
    ]
    if not found:
        return None
    gaps = [seen.difference - unseen.difference for seen, unseen in found]
    below = [
        hypot(seen.difference - seen.low, unseen.high - unseen.difference) for seen, unseen in found
    ]
    above = [
        hypot(seen.high - seen.difference, unseen.difference - unseen.low) for seen, unseen in found
    ]
    count = len(found)
    mean = sum(gaps) / count
    return Interval(mean, mean - sum(below) / count, mean + sum(above) / count)
