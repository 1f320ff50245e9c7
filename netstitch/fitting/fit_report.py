"""The report of a fit: settings, samples, and how well each stitch translates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import RootModel

from netstitch.files.documents import STRICT, Count, Seconds, validated
from netstitch.stitching.stitch import FeatureRef

Setting = bool | int | float | str | None

HEADER = ("match", "source", "target", "relative error")


@dataclass(frozen=True)
class StitchFit:
    """The error of one stitch.

    Attributes:
        match: Index of its match.
        source: The point that it reads.
        target: The point that it stands for.
        relative_error: |target - stitch(source)|^2 / |target - mean of target|^2, summed over the
            features, positions and images of the held-out samples; 0 is perfect, 1 no better than
            a constant. None where the target does not vary on the held-out samples.
    """

    match: Count
    source: FeatureRef
    target: FeatureRef
    relative_error: float | None


@dataclass(frozen=True)
class FitReport:
    """The report of a fit.

    Attributes:
        method: "least-squares" or "adam".
        settings: The method's settings by name.
        samples: Images fitted on, repeats counted.
        held_out: Images that the errors are measured on, none of them fitted on.
        seconds: Wall-clock time of the whole fit.
        rows: One per stitch, in the supernet's order.
    """

    method: str
    settings: Mapping[str, Setting]
    samples: Count
    held_out: Count
    seconds: Seconds
    rows: tuple[StitchFit, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain dictionaries, lists, numbers and strings."""
        plain: dict[str, Any] = FitDocument(self).model_dump(mode="json")
        return plain

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "FitReport":
        """Return the report that `to_json` wrote; StorageError where the data is something else."""
        return validated(data, FitDocument, "the fit report").root

    def table(self) -> list[tuple[str, ...]]:
        """Return rows of text for a terminal, the first one the header."""
        return [
            HEADER,
            *(
                (
                    str(row.match),
                    f"{row.source.network}: {row.source.point}",
                    f"{row.target.network}: {row.target.point}",
                    "target is constant"
                    if row.relative_error is None
                    else f"{row.relative_error:.4f}",
                )
                for row in self.rows
            ),
        ]


class FitDocument(RootModel[FitReport]):
    """The document fit.json."""

    model_config = STRICT
