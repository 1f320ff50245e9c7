"""Reports on the stitches of a supernet: how well each of them translates after a fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from netstitch.files.documents import Count, Document, Seconds, validated
from netstitch.stitching.stitch import FeatureRef

Setting = bool | int | float | str | None


class StitchReport(Document):
    """A report on the stitches of a supernet, which goes to JSON and back."""

    kind: ClassVar[str]

    def to_json(self) -> dict[str, object]:
        """Return the report as plain dictionaries, lists, numbers and strings.

        Losses that are not finite become strings, since JSON has no numbers for them.
        """
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Self:
        """Return the report that `to_json` wrote; StorageError where the data is something else."""
        return validated(data, cls, f"the {cls.kind} report")


@dataclass(frozen=True)
class ReportRow:
    """One stitch of a report.

    Attributes:
        match: Index of its match.
        source: The point that it reads.
        target: The point that it stands for.
    """

    match: Count
    source: FeatureRef
    target: FeatureRef

    @property
    def cells(self) -> tuple[str, ...]:
        """The stitch as the first cells of a table."""
        ends = (f"{end.network}: {end.point}" for end in (self.source, self.target))
        return (str(self.match), *ends)


@dataclass(frozen=True)
class StitchFit(ReportRow):
    """The error of one stitch.

    Attributes:
        relative_error: |target - stitch(source)|^2 / |target - mean of target|^2, summed over the
            features, positions and images of the held-out samples, or of some that were fitted on
            where none were held out; 0 is perfect, 1 no better than a constant. None where the
            target does not vary on these samples.
    """

    relative_error: float | None


class FitReport(StitchReport):
    """The report of a fit.

    Attributes:
        method: "least-squares" or "adam".
        settings: The method's settings by name.
        samples: Images fitted on, repeats counted.
        held_out: Images that the errors are measured on, none of them fitted on; 0 where they are
            measured on images that were fitted on.
        seconds: Wall-clock time of the whole fit.
        rows: One per stitch, in the supernet's order.
    """

    kind: ClassVar[str] = "fit"
    method: str
    settings: Mapping[str, Setting]
    samples: Count
    held_out: Count
    seconds: Seconds
    rows: tuple[StitchFit, ...]

    def table(self) -> list[tuple[str, ...]]:
        """Return rows of text for a terminal, the first one the header."""
        rows: list[tuple[str, ...]] = [("match", "source", "target", "relative error")]
        for row in self.rows:
            error = row.relative_error
            rows.append((*row.cells, "target is constant" if error is None else f"{error:.4f}"))
        return rows
