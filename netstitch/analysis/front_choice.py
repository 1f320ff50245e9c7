"""The choice of one network or cascade of a front, by limits or by its label."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from numbers import Real

from netstitch.analysis.cascade_point import CascadePoint
from netstitch.analysis.cost_words import MULTIPLY_ADDS_NAME
from netstitch.analysis.front_point import FrontPoint
from netstitch.errors import SearchError
from netstitch.text import unit_and_scale

AnyPoint = FrontPoint | CascadePoint

AS_GOOD = 0.003
"""The accuracy that a cascade may lose beside the ensemble to count as good as it."""


@dataclass(frozen=True)
class Limits:
    """The limits that a point has to keep to, as of `Front.pick`; None is no limit.

    Raises:
        SearchError: One is no number, or none that a limit can be.
    """

    max_macs: float | None = None
    max_cost: float | None = None
    max_mean_cost: float | None = None
    max_worst_case: float | None = None
    min_accuracy: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
                raise SearchError(f"{name} is {value!r:.80}: expected a number")
            number = float(value)
            if name == "min_accuracy" and not 0 <= number <= 1:
                instead = f"; did you mean {number / 100:g}?" if 2 <= number <= 100 else ""
                raise SearchError(f"{name} is {number:g}: expected a number of 0 to 1{instead}")
            if number < 0:
                raise SearchError(f"{name} is {number:g}: expected a number of 0 or more")


@dataclass(frozen=True)
class _Bound:
    """A limit of cost: its value, what it is called, its unit, and what it is a limit of."""

    most: float | None
    words: str
    unit: str
    of: Callable[[AnyPoint], float]


def choose(
    networks: Sequence[FrontPoint], cascades: Sequence[CascadePoint], limits: Limits, unit: str
) -> AnyPoint:
    """Return the point that the limits choose; see `Front.pick`.

    Args:
        networks: By rising cost, as cascades are.
        cascades: Left out where a limit is one of each sample's cost.
        limits: Some.
        unit: Of costs.

    Raises:
        SearchError: Nothing fits, or there are no limits; it says what there is.
    """
    each_sample = limits.max_macs is not None or limits.max_cost is not None
    known: list[AnyPoint] = [*networks, *(() if each_sample else cascades)]
    given = [bound for bound in _bounds(limits, unit) if bound.most is not None]
    wanted = [f"{bound.words} {_brief(bound.most or 0.0, bound.unit)}" for bound in given]
    least = limits.min_accuracy
    if least is not None:
        wanted.append(f"a validation accuracy of at least {least:g}")
    if not wanted:
        raise SearchError(
            "nothing to choose a network by; give the most multiply-adds, the most cost, mean cost "
            "or worst case, the least accuracy, or a point of the front"
        )
    fitting = [
        point
        for point in known
        if all(bound.most is None or bound.of(point) <= bound.most for bound in given)
        and (least is None or point.validation >= least)
    ]
    if not fitting:
        what = "network" if len(known) == len(networks) else "network or cascade"
        raise SearchError(
            f"no {what} of the front has {' and '.join(wanted)}; "
            f"{_range(known, given[-1] if given else _bounds(limits, unit)[1])}"
        )
    if least is not None and not each_sample and limits.max_mean_cost is None:
        return min(fitting, key=lambda point: (point.cost, -point.validation))
    return max(fitting, key=lambda point: (point.validation, -point.cost))


def as_good(cascades: Iterable[CascadePoint]) -> CascadePoint | None:
    """Return the cascade of the least mean cost that is as good as the ensemble; None without one.

    The lower end of the 95 % interval of its difference to the ensemble, paired on validation
    samples, is over -AS_GOOD.
    """
    beside = [(one, one.validation_difference) for one in cascades]
    found = [one for one, gap in beside if gap is not None and gap.low > -AS_GOOD]
    return min(found, key=lambda cascade: cascade.cost, default=None)


def named(points: Sequence[AnyPoint], name: str) -> AnyPoint:
    """Return the point that has a label, or the network "PK" for K.

    Raises:
        SearchError: There is none.
    """
    for candidate in points:
        if candidate.label in (name, f"P{name}"):
            return candidate
    labels = [one.label for one in points]
    if not labels:
        raise SearchError(f"the front has no point {name!r:.80}: it is empty")
    raise SearchError(f"the front has no point {name!r:.80}; it has {', '.join(_ranges(labels))}")


def _ranges(labels: Sequence[str]) -> Iterator[str]:
    """Yield labels, those that are numbered on as their first and last, such as "P1 to P7"."""
    for stem, each in groupby(labels, lambda label: label.rstrip("0123456789")):
        own = list(each)
        yield own[0] if len(own) == 1 else f"{own[0]} to {own[-1]}" if stem else ", ".join(own)


def _bounds(limits: Limits, unit: str) -> tuple[_Bound, ...]:
    return (
        _Bound(limits.max_macs, "at most", MULTIPLY_ADDS_NAME, _multiply_adds),
        _Bound(limits.max_cost, "at most", unit, lambda point: point.cost),
        _Bound(limits.max_mean_cost, "a mean cost of at most", unit, lambda point: point.cost),
        _Bound(limits.max_worst_case, "a worst case of at most", unit, lambda p: p.worst_case),
    )


def _multiply_adds(point: AnyPoint) -> float:
    return float(point.multiply_adds) if isinstance(point, FrontPoint) else math.inf


def _range(points: Sequence[AnyPoint], bound: _Bound) -> str:
    """Return the ends of what there is, by a cost."""
    if not points:
        return "the front is empty, search with a larger budget or a lower threshold"
    # Rounded outwards: a limit copied from this message must find the point.
    cheapest, best = (
        f"{point.label} ({_brief(bound.of(point), bound.unit)}, validation accuracy "
        f"{math.floor(point.validation * 1e4) / 1e4:g})"
        for point in (
            min(points, key=lambda one: (bound.of(one), -one.validation)),
            max(points, key=lambda one: (one.validation, -bound.of(one))),
        )
    )
    return f"the front runs from {cheapest}, the cheapest, to {best}, the most accurate"


def _brief(cost: float, unit: str) -> str:
    """Return a cost, rounded up, with its unit."""
    prefix, scale = unit_and_scale(cost)
    return f"{math.ceil(cost / scale * 1e3) / 1e3:g}{prefix} {unit}"
