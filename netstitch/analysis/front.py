"""The front: networks that give the most accuracy for their multiply-adds, as plain data."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from netstitch.analysis.bootstrap import Interval
from netstitch.analysis.calibration import Calibration
from netstitch.analysis.dominance import SPLITS, ObjectiveName, Split, nondominated
from netstitch.analysis.tables import front_html
from netstitch.errors import SearchError, StorageError
from netstitch.files.documents import STRICT, Choice, Count, problem
from netstitch.files.folders import write_bytes
from netstitch.text import one_line

ENSEMBLE = "ensemble"
"""The output choice of a reference network that makes it the one others are compared with."""

ACCURACY: ObjectiveName = "accuracy"


@dataclass(frozen=True)
class FrontPoint:
    """A network and what was measured of it.

    label: unique in its front ("P3", or a reference network's name). multiply_adds: of one sample.
    stitches: how many are active. validation, confirmation, test: accuracies in [0, 1]. output: the
    output choice ("resnet", "ensemble"). validation_difference and so on: accuracy minus the
    ensemble's. confirmation_gap, gap: validation minus confirmation and minus test accuracy, of
    samples that are not the same. further: other measures by name, such as "validation mean IoU".
    cross_entropy (in nats, a mean over samples), calibration: by part of the data.

    Raises ValueError for numbers that cannot be: negative counts, accuracies outside [0, 1].
    """

    label: str
    genotype: tuple[Choice, ...]
    multiply_adds: Count
    stitches: Count
    validation: float
    test: float | None = None
    output: str = ""
    parameters: Count | None = None
    validation_difference: Interval | None = None
    test_difference: Interval | None = None
    gap: Interval | None = None
    confirmation: float | None = None
    confirmation_difference: Interval | None = None
    confirmation_gap: Interval | None = None
    further: dict[str, float] = field(default_factory=dict)
    cross_entropy: dict[str, float] = field(default_factory=dict)
    calibration: dict[str, Calibration] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if min(self.multiply_adds, self.stitches, self.parameters or 0) < 0:
            raise ValueError(f"{self.label}: multiply-adds, stitches or parameters are negative")
        for accuracy in map(self.accuracy, SPLITS):
            if accuracy is not None and not 0 <= accuracy <= 1:
                raise ValueError(f"{self.label}: accuracy {accuracy} is not between 0 and 1")

    def accuracy(self, on: Split) -> float | None:
        found: float | None = getattr(self, on)
        return found

    def difference(self, on: Split) -> Interval | None:
        """Accuracy on a part minus that of the ensemble."""
        found: Interval | None = getattr(self, f"{on}_difference")
        return found

    def score(self, on: Split, objective: ObjectiveName = ACCURACY) -> float | None:
        """The accuracy, or minus the cross-entropy: higher is better."""
        if objective == ACCURACY:
            return self.accuracy(on)
        nats = self.cross_entropy.get(on)
        return None if nats is None else -nats


@dataclass(frozen=True)
class Front:
    """Networks by rising multiply-adds, and the reference networks that they are compared with.

    references: each basis network and the ensemble, in the order given.
    measure: what `validation` and `test` of the points are, of 0 to 1, as figures say it.
    objective: what the points are the best in for their multiply-adds.

    Raises ValueError when two points or references share a label.
    """

    points: tuple[FrontPoint, ...]
    references: tuple[FrontPoint, ...] = ()
    measure: str = ACCURACY
    objective: ObjectiveName = ACCURACY

    def __post_init__(self) -> None:
        labels = [point.label for point in (*self.points, *self.references)]
        repeated = sorted({label for label in labels if labels.count(label) > 1})
        if repeated:
            raise ValueError(f"labels stand twice in a front: {', '.join(repeated)}")
        ordered = sorted(self.points, key=lambda point: (point.multiply_adds, point.validation))
        object.__setattr__(self, "points", tuple(ordered))
        object.__setattr__(self, "references", tuple(self.references))

    def __iter__(self) -> Iterator[FrontPoint]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def _repr_html_(self) -> str:
        return front_html(self)

    @property
    def ensemble(self) -> FrontPoint | None:
        """The reference network that is the ensemble; of several, the most expensive."""
        ensembles = [point for point in self.references if point.output == ENSEMBLE]
        return max(ensembles, key=lambda point: point.multiply_adds, default=None)

    @property
    def parts(self) -> tuple[Split, ...]:
        """Those of the data that networks were measured on; validation always."""
        shown = (*self.points, *self.references)
        return tuple(
            part
            for part in SPLITS
            if part == "validation" or any(one.accuracy(part) is not None for one in shown)
        )

    def leading(self, on: Split) -> tuple[FrontPoint, ...]:
        """The points that none dominates on a part of the data: the front determined anew."""
        return nondominated(self.points, on, self.objective)

    def pick(
        self,
        max_macs: float | None = None,
        min_accuracy: float | None = None,
        point: str | int | None = None,
    ) -> FrontPoint:
        """One network of the front.

        max_macs: the one with the highest validation accuracy of at most that many multiply-adds.
        min_accuracy: the cheapest of at least that validation accuracy; together with max_macs, the
        most accurate that keeps both. point: by its label, or the K of "PK"; the label of a
        reference network will do.

        Raises SearchError, which says what there is, when nothing fits.
        """
        if point is not None:
            if max_macs is not None or min_accuracy is not None:
                raise SearchError("give a point of the front or limits to choose it by, not both")
            return self._named(str(point))
        if max_macs is None and min_accuracy is None:
            raise SearchError(
                "nothing to choose a network by; give the most multiply-adds, the least accuracy, "
                "or a point of the front"
            )
        fitting = [
            candidate
            for candidate in self.points
            if (max_macs is None or candidate.multiply_adds <= max_macs)
            and (min_accuracy is None or candidate.validation >= min_accuracy)
        ]
        if not fitting:
            raise SearchError(f"{_asked(max_macs, min_accuracy)}; {self._range()}")
        if max_macs is None:
            return fitting[0]
        return max(fitting, key=lambda candidate: (candidate.validation, -candidate.multiply_adds))

    def table(self) -> list[list[str]]:
        """A header and a row for each reference network and point, formatted for reading.

        Accuracies and differences, which are to the ensemble, are in percent.
        """
        ensemble = self.ensemble
        whole = ensemble.multiply_adds if ensemble else None
        parts = [part for part in SPLITS if part in self.parts or part == "test"]
        heads = {"validation": "val."}
        head = ["network", "output", "stitches", "MACs (M)", "of ens."]
        for part in parts:
            head += [part, f"{heads.get(part, part)} minus ensemble"]
        nats = parts if self.objective != ACCURACY else []
        head += [f"{part} cross-entropy" for part in nats]
        further = dict.fromkeys(name for one in (*self.references, *self) for name in one.further)
        head += further
        rows = [
            [
                point.label,
                point.output,
                str(point.stitches),
                f"{point.multiply_adds / 1e6:.2f}",
                f"{point.multiply_adds / whole:.0%}" if whole else "",
                *(
                    text
                    for part in parts
                    for text in (
                        _percent(point.accuracy(part)),
                        _difference(point.difference(part)),
                    )
                ),
                *(_nats(point.cross_entropy.get(part)) for part in nats),
                *(_percent(point.further.get(name)) for name in further),
            ]
            for point in (*self.references, *self.points)
        ]
        return [head, *rows]

    def to_csv(self, path: Path | str) -> None:
        """Write reference networks and points, a row each, as plain numbers.

        Raises StorageError when the file cannot be written; nothing half-written is left.
        """
        text = io.StringIO()
        further = dict.fromkeys(name for one in (*self.references, *self) for name in one.further)
        writer = csv.DictWriter(text, [*_CSV_COLUMNS, *further], lineterminator="\n")
        writer.writeheader()
        writer.writerows(_csv_row("reference", point) for point in self.references)
        writer.writerows(_csv_row("front", point) for point in self.points)
        write_bytes(Path(path), text.getvalue().encode())

    def to_json(self, path: Path | str) -> None:
        """Write the front as JSON that `from_json` reads. Raises StorageError as `to_csv` does."""
        document = _Document(
            points=self.points,
            references=self.references,
            measure=self.measure,
            objective=self.objective,
        )
        write_bytes(Path(path), (document.model_dump_json(indent=1) + "\n").encode())

    @classmethod
    def from_json(cls, path: Path | str) -> "Front":
        """Read what `to_json` wrote. Raises StorageError when the file is missing or damaged."""
        try:
            return front_from_json(Path(path).read_bytes())
        except (OSError, ValueError) as error:
            raise StorageError(
                f"{path} holds no front ({one_line(error)}); expected a file written by "
                "Front.to_json, write it again"
            ) from error

    def _named(self, name: str) -> FrontPoint:
        for candidate in (*self.points, *self.references):
            if candidate.label in (name, f"P{name}"):
                return candidate
        raise SearchError(f"the front has no point {name!r}; {self._range()}")

    def _range(self) -> str:
        if not self.points:
            return "the front is empty, search with a larger budget or a lower threshold"
        return f"the front runs from {_brief(self.points[0])} to {_brief(self.points[-1])}"


def make_front(
    candidates: Iterable[FrontPoint],
    references: Sequence[FrontPoint] = (),
    measure: str = ACCURACY,
    objective: ObjectiveName = ACCURACY,
) -> Front:
    """The front of the candidates on validation, labelled P1, P2, ... by rising multiply-adds."""
    kept = nondominated(tuple(candidates), "validation", objective)
    points = (replace(point, label=f"P{rank}") for rank, point in enumerate(kept, start=1))
    return Front(tuple(points), tuple(references), measure, objective)


def front_from_json(content: bytes) -> Front:
    """Return the front that a file's content tells; raises ValueError, saying why, for none."""
    try:
        document = _Document.model_validate_json(content)
    except ValidationError as error:
        raise ValueError(problem(error)) from error
    return Front(document.points, document.references, document.measure, document.objective)


class _Document(BaseModel):
    """front.json."""

    model_config = ConfigDict(**STRICT, extra="forbid")

    format: Literal["netstitch front"] = "netstitch front"
    version: Literal[1] = 1
    points: tuple[FrontPoint, ...]
    references: tuple[FrontPoint, ...]
    measure: str = ACCURACY
    objective: ObjectiveName = ACCURACY


_INTERVALS = (
    "validation_difference",
    "test_difference",
    "gap",
    "confirmation_difference",
    "confirmation_gap",
)
_BY_NAME = ("further", "cross_entropy", "calibration")
_CSV_COLUMNS = [
    "kind",
    *(one.name for one in fields(FrontPoint) if one.name not in (*_INTERVALS, *_BY_NAME)),
    *(f"{name}{part}" for name in _INTERVALS for part in ("", "_low", "_high")),
    *(f"{part}_{name}" for name in ("cross_entropy", "calibration_error") for part in SPLITS),
]


def _csv_row(kind: str, point: FrontPoint) -> dict[str, object]:
    row: dict[str, object] = {"kind": kind}
    for each in fields(point):
        value = getattr(point, each.name)
        if each.name == "genotype":
            row[each.name] = " ".join(map(str, value))
        elif each.name == "further":
            row |= value
        elif each.name == "cross_entropy":
            row |= {f"{part}_cross_entropy": nats for part, nats in value.items()}
        elif each.name == "calibration":
            row |= {f"{part}_calibration_error": found.error for part, found in value.items()}
        elif isinstance(value, Interval):
            row |= {
                each.name: value.difference,
                f"{each.name}_low": value.low,
                f"{each.name}_high": value.high,
            }
        else:
            row[each.name] = "" if value is None else value
    return row


def _asked(max_macs: float | None, min_accuracy: float | None) -> str:
    limits = []
    if max_macs is not None:
        limits.append(f"at most {max_macs / 1e6:.4g}M multiply-adds")
    if min_accuracy is not None:
        limits.append(f"a validation accuracy of at least {min_accuracy:g}")
    return f"no network of the front has {' and '.join(limits)}"


def _brief(point: FrontPoint) -> str:
    # Rounded outwards from what is asked: a limit copied from this message must find the point.
    millions = math.ceil(point.multiply_adds / 1e3) / 1e3
    accuracy = math.floor(point.validation * 1e4) / 1e4
    return f"{point.label} ({millions:g}M multiply-adds, validation accuracy {accuracy:g})"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def _nats(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _difference(interval: Interval | None) -> str:
    if interval is None:
        return ""
    low, high = 100 * interval.low, 100 * interval.high
    return f"{100 * interval.difference:+.2f} [{low:+.2f}, {high:+.2f}]"
