"""The front: networks that give the most accuracy for their cost, as plain data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from netstitch.analysis.cascade_point import CascadePoint
from netstitch.analysis.cascade_rows import cascade_rows, listed_cascades
from netstitch.analysis.cost_words import MULTIPLY_ADDS_NAME, axis_label
from netstitch.analysis.dominance import confirmed, nondominated
from netstitch.analysis.front_chart import Cloud, Floor, accuracy_floor, front_chart, with_limits
from netstitch.analysis.front_choice import AnyPoint, Limits, as_good, choose, named
from netstitch.analysis.front_document import FrontDocument
from netstitch.analysis.front_point import (
    ACCURACY,
    ENSEMBLE,
    DefaultCost,
    FrontPoint,
    ObjectiveName,
    Split,
    parts_of,
)
from netstitch.analysis.front_rows import csv_text, html_table, table_rows
from netstitch.analysis.kinds_chart import PointKind, kinds_chart
from netstitch.drawing.chart import Chart
from netstitch.errors import DataError, SearchError, StorageError
from netstitch.files.documents import problem
from netstitch.files.folders import write_bytes
from netstitch.text import one_line


@dataclass(frozen=True)
class Front:
    """Networks and cascades by rising cost, and the references that they are compared with.

    Attributes:
        points: The static networks, which cost the same for each sample; given in any order.
        references: Each basis network and the ensemble, in the order given.
        cascades: Cascades by mean cost, labelled C1, C2, ...; given in any order.
        plain_cascades: Cascades of the basis networks and their ensemble alone; and where cascades
            have stitched stages, those with exits as well (`CascadePoint.exits`), which a user has
            without stitches.
        measure: The name of the points' accuracies, of 0 to 1, in figures.
        objective: What the points are the best in for their cost.
        cost_name: The name of the cost.
        unit: What the cost is counted in; by default its name.
        beaten: Networks that a search found and that exits beat, for when there are other exits.
        unconfirmed: Networks and exits that nothing beats on validation samples, but something does
            with confirmation samples counted too; labelled unconfirmed-1, ... by cost.
        samples: The number of samples of each part of the data, where it is known.

    Raises:
        ValueError: Two points or references share a label, or the cost is another than
            multiply-adds and was not given for each.
    """

    points: tuple[FrontPoint, ...]
    references: tuple[FrontPoint, ...] = ()
    measure: str = ACCURACY
    objective: ObjectiveName = ACCURACY
    cost_name: str = MULTIPLY_ADDS_NAME
    unit: str = ""
    cascades: tuple[CascadePoint, ...] = ()
    plain_cascades: tuple[CascadePoint, ...] = ()
    beaten: tuple[FrontPoint, ...] = ()
    unconfirmed: tuple[FrontPoint, ...] = ()
    samples: dict[Split, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        labels = [point.label for point in self.everything]
        repeated = sorted({label for label in labels if labels.count(label) > 1})
        if repeated:
            raise ValueError(f"labels stand twice in a front: {', '.join(repeated)}")
        without = [one.label for one in self.networks if isinstance(one.cost, DefaultCost)]
        if without and self.cost_name != MULTIPLY_ADDS_NAME:
            raise ValueError(
                f"{without[0]} has no {self.cost_name}, the cost of its front; give each point its "
                "cost"
            )
        object.__setattr__(self, "unit", self.unit or self.cost_name)
        ordered = sorted(self.points, key=lambda point: (point.cost, point.validation))
        object.__setattr__(self, "points", tuple(ordered))
        object.__setattr__(self, "references", tuple(self.references))
        for name in ("cascades", "plain_cascades"):
            given: tuple[CascadePoint, ...] = vars(self)[name]
            ordered_cascades = sorted(given, key=lambda one: (one.cost, one.validation))
            object.__setattr__(self, name, tuple(ordered_cascades))

    def __iter__(self) -> Iterator[FrontPoint]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def _repr_html_(self) -> str:
        """Return the figure of `front_figure` and the tables, as HTML that needs no file."""
        if not self.networks:
            return "<p>The front is empty.</p>"
        # Imported here, since a front is data, and is read where nothing is drawn too.
        from netstitch.drawing.matplotlib_chart import panels_svg

        tables = [self.table()] + ([self.cascade_table(short=True)] if self.cascades else [])
        return "".join([panels_svg(self.charts("tight")), *map(html_table, tables)])

    @property
    def networks(self) -> tuple[FrontPoint, ...]:
        """The reference networks, and the points behind them."""
        return (*self.references, *self.points)

    @property
    def found(self) -> tuple[AnyPoint, ...]:
        """The networks and the cascades that were found, without references."""
        return (*self.points, *self.cascades)

    @property
    def plain(self) -> tuple[AnyPoint, ...]:
        """The references and the plain cascades: what a user has without stitches."""
        return (*self.references, *self.plain_cascades)

    @property
    def has_cascades(self) -> bool:
        """Cascades were found, plain ones or others."""
        return bool(self.cascades or self.plain_cascades)

    @property
    def everything(self) -> tuple[AnyPoint, ...]:
        """All networks and all cascades."""
        return (*self.references, *self.points, *self.plain_cascades, *self.cascades)

    @property
    def ensemble(self) -> FrontPoint | None:
        """The reference network that is the ensemble; of several, the most expensive."""
        ensembles = [point for point in self.references if point.output == ENSEMBLE]
        return max(ensembles, key=lambda point: point.cost, default=None)

    @property
    def as_good(self) -> CascadePoint | None:
        """The cascade of the least mean cost, plain or not, that is as good as the ensemble.

        That is so where the lower end of the 95 % interval of its difference to the ensemble,
        paired on validation samples, is over -AS_GOOD. None without one.
        """
        return as_good((*self.cascades, *self.plain_cascades))

    @property
    def ensemble_cost(self) -> float:
        """The unit of hypervolumes: the ensemble's cost, or that of the dearest network."""
        known = [self.ensemble] if self.ensemble else self.references or self.points
        return max((point.cost for point in known), default=0.0)

    @property
    def cost_label(self) -> str:
        """The cost with its unit, for an axis."""
        return axis_label(self.cost_name, self.unit)

    @property
    def parts(self) -> tuple[Split, ...]:
        """The parts of the data that networks were measured on; validation always."""
        return parts_of(self.networks)

    def leading(self, on: Split) -> tuple[FrontPoint, ...]:
        """Return the points that none dominates on a part of the data."""
        return nondominated(self.points, on, self.objective)

    def leading_cascades(self, on: Split) -> tuple[CascadePoint, ...]:
        """Return the cascades that none dominates on a part of the data."""
        return nondominated(self.cascades, on)

    def chart(self, on: Split, words: Mapping[str, str] | None = None, cloud: Cloud = ()) -> Chart:
        """Return accuracy against cost on a part of the data.

        See `front_chart`, and `kinds_chart` where there are cascades.
        """
        axes = self.cost_label, self.measure
        if not self.has_cascades:
            return front_chart(
                self.points, self.leading(on), self.references, on, axes, words, cloud
            )
        exits = [point for point in self.points if point.exit is not None]
        without, with_exits = (
            [one for one in self.plain_cascades if one.exits == some] for some in (False, True)
        )
        plain = self.references if without else ()
        plain_with_exits = [*self.references, *exits, *without] if with_exits else ()
        kinds = (
            PointKind("networks", self.points, self.leading(on), 0, apart=("exits", exits)),
            PointKind("cascades", self.cascades, self.leading_cascades(on), 2),
            PointKind("plain cascades", without, (), 4, "dashed", beside=plain),
            PointKind(
                "plain cascades with exits", with_exits, (), 3, "dashed", beside=plain_with_exits
            ),
        )
        axes = f"mean {self.cost_label}", self.measure
        return kinds_chart(kinds, self.references, on, axes, words, cloud)

    def charts(self, floor: Floor = "tenth") -> list[Chart]:
        """Return a chart of each part of the data, with common ranges from a least accuracy on.

        Raises:
            DataError: The front has neither points nor references, or none over the floor.
        """
        if not self.networks:
            raise DataError("the front holds no networks to draw; search first")
        lowest = accuracy_floor(self.references or self.points, self.parts, floor)
        return with_limits([self.chart(part) for part in self.parts], lowest)

    def pick(
        self,
        max_macs: float | None = None,
        min_accuracy: float | None = None,
        point: str | int | None = None,
        max_cost: float | None = None,
        max_mean_cost: float | None = None,
        max_worst_case: float | None = None,
    ) -> AnyPoint:
        """Return one network or cascade of the front, by limits or by its label.

        Limits of what each sample costs choose among networks, others among cascades too. The most
        accurate point on validation samples is returned of those within the limits; where an
        accuracy suffices and no limit but the worst case is on the cost, that with the least mean
        cost.

        Args:
            max_macs: The most multiply-adds, of a network.
            min_accuracy: The least validation accuracy.
            point: Its label, such as "C3", or the K of "PK"; that of a reference will do.
            max_cost: The most cost, in the front's unit, of a network.
            max_mean_cost: The most mean cost over validation samples.
            max_worst_case: The most that any sample may cost.

        Raises:
            SearchError: Nothing fits, and it says what there is; or a limit is no number.
        """
        limits = Limits(max_macs, max_cost, max_mean_cost, max_worst_case, min_accuracy)
        if point is None:
            return choose(self.points, self.cascades, limits, self.unit)
        if limits != Limits():
            raise SearchError("give a point of the front or limits to choose it by, not both")
        return named(self.everything, str(point))

    def table(self) -> list[list[str]]:
        """Return a header and a row for each reference network and point, formatted for reading.

        Accuracies and differences, which are to the ensemble, are in percent.
        """
        whole = self.ensemble.cost if self.ensemble else None
        return table_rows(
            self.networks, self.parts, self.objective, whole, self.cost_name, self.unit
        )

    def cascade_table(self, short: bool = False) -> list[list[str]]:
        """Return a header and a row for each plain cascade and cascade, formatted for reading.

        Mean costs, shares of samples that stop at the first stage, and differences, which are to
        the ensemble and to the plain cascade of the nearest mean cost, are on test samples where
        these are known.

        Args:
            short: A dozen cascades alone, of those about as accurate as the references or more.
        """
        whole = self.ensemble.cost if self.ensemble else None
        listed: Sequence[CascadePoint] = (*self.plain_cascades, *self.cascades)
        if short:
            least = accuracy_floor(self.references or self.points, self.parts, "tight")
            listed = listed_cascades(self.cascades, least)
        return cascade_rows(listed, self.parts, whole, self.cost_name, self.unit)

    def to_csv(self, path: Path | str) -> None:
        """Write references, networks and cascades, a row each, as plain numbers.

        Networks that confirmation samples took away are there too, as another kind.

        Raises:
            StorageError: The file cannot be written; nothing half-written is left.
        """
        kinds = {
            "reference": self.references,
            "plain cascade": self.plain_cascades,
            "network": self.points,
            "cascade": self.cascades,
            "unconfirmed network": self.unconfirmed,
        }
        text = csv_text(kinds, self.cost_name, self.unit)
        write_bytes(Path(path), text.encode())

    def to_json(self, path: Path | str) -> None:
        """Write the front as JSON that `from_json` reads; raises StorageError as `to_csv` does."""
        document = FrontDocument.model_construct(**vars(self))
        write_bytes(Path(path), (document.model_dump_json(indent=1) + "\n").encode())

    @classmethod
    def from_json(cls, path: Path | str) -> "Front":
        """Read what `to_json` of this version wrote.

        Raises:
            StorageError: The file is missing or damaged, or another version wrote it.
        """
        try:
            return front_from_json(Path(path).read_bytes())
        except (OSError, ValueError) as error:
            raise StorageError(
                f"{path} holds no front ({one_line(error)}); expected a file written by "
                "Front.to_json, write it again"
            ) from error


def make_front(
    candidates: Iterable[FrontPoint],
    references: Sequence[FrontPoint] = (),
    measure: str = ACCURACY,
    objective: ObjectiveName = ACCURACY,
    cost_name: str = MULTIPLY_ADDS_NAME,
    unit: str = "",
    samples: Mapping[Split, int] = MappingProxyType({}),
) -> Front:
    """Return the candidates' front on validation samples, labelled P1, P2, ... by rising cost.

    Where there are confirmation samples, these decide which of its networks stay; see
    `netstitch.analysis.dominance.confirmed`. `samples` has the number of each part's samples.
    """
    proposed = nondominated(tuple(candidates), "validation", objective)
    kept = confirmed(proposed, references, objective, samples)
    return Front(
        _labelled("P", kept),
        tuple(references),
        measure,
        objective,
        cost_name,
        unit,
        unconfirmed=_labelled("unconfirmed-", [one for one in proposed if one not in kept]),
        samples=dict(samples),
    )


def _labelled(name: str, points: Iterable[FrontPoint]) -> tuple[FrontPoint, ...]:
    return tuple(replace(one, label=f"{name}{rank}") for rank, one in enumerate(points, start=1))


def front_from_json(content: bytes) -> Front:
    """Return the front that a file's content tells; raises ValueError, saying why, for none."""
    try:
        document = FrontDocument.model_validate_json(content)
    except ValidationError as error:
        raise ValueError(problem(error)) from error
    about = ("format", "version")
    return Front(**{name: value for name, value in document if name not in about})
