"""The report of a refining: steps, losses before and after, and which stitches changed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AllowInfNan, BeforeValidator, PlainSerializer, RootModel

from netstitch.files.documents import STRICT, Count, Seconds, validated
from netstitch.fitting.fit_report import Setting
from netstitch.stitching.stitch import FeatureRef

_NOT_FINITE = ("inf", "-inf", "nan")

LossValue = Annotated[
    float,
    AllowInfNan(True),
    BeforeValidator(lambda value: float(value) if value in _NOT_FINITE else value),
    PlainSerializer(lambda value: value if math.isfinite(value) else str(value)),
]
"""A loss that need not be finite, which JSON has only text for."""

HEADER = ("match", "source", "target", "loss before", "after", "")


@dataclass(frozen=True)
class StitchRefined:
    """One stitch, as the only one of a subnetwork.

    Attributes:
        match: Index of its match.
        source: The point that it reads.
        target: The point that it stands for.
        before: Mean loss on images used for neither training nor choosing, with the first stage's
            weights; None where no output depends on the stitch.
        after: The same with the weights that it keeps.
        kept: Whether these are the trained ones.
        diverged: The step at which it was put back since values were not finite; otherwise None.
    """

    match: Count
    source: FeatureRef
    target: FeatureRef
    before: LossValue | None
    after: LossValue | None
    kept: bool
    diverged: Count | None


@dataclass(frozen=True)
class CurvePoint:
    """Held-out loss of the same few subnetworks after so many steps and seconds."""

    step: Count
    seconds: Seconds
    loss: LossValue


@dataclass(frozen=True)
class RefineReport:
    """The report of a refining.

    Attributes:
        settings: Fields of `RefineSettings` by name.
        steps: Steps that were done.
        samples: Images trained on, repeats counted.
        distinct: Different images among them.
        left_out: Images that did not fit into memory.
        chosen_on: Images that stitches were chosen by.
        reported_on: Images that the losses of rows are of.
        seconds: Wall-clock time of the whole.
        several_before: Mean loss of random subnetworks with four active stitches before, on the
            images reported on; None where there are none.
        several_after: The same afterwards.
        curve: Held-out losses during training.
        rows: One per stitch, in the supernet's order.
    """

    settings: Mapping[str, Setting]
    steps: Count
    samples: Count
    distinct: Count
    left_out: Count
    chosen_on: Count
    reported_on: Count
    seconds: Seconds
    several_before: LossValue | None
    several_after: LossValue | None
    curve: tuple[CurvePoint, ...]
    rows: tuple[StitchRefined, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain dictionaries, lists, numbers and strings.

        Losses that are not finite become strings, since JSON has no numbers for them.
        """
        plain: dict[str, Any] = RefineDocument(self).model_dump(mode="json")
        return plain

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "RefineReport":
        """Return the report that `to_json` wrote; StorageError where the data is something else."""
        return validated(data, RefineDocument, "the refine report").root

    def table(self) -> list[tuple[str, ...]]:
        """Return rows of text for a terminal, the first one the header."""
        rows: list[tuple[str, ...]] = [HEADER]
        for row in self.rows:
            state = "kept" if row.kept else "as before"
            rows.append(
                (
                    str(row.match),
                    f"{row.source.network}: {row.source.point}",
                    f"{row.target.network}: {row.target.point}",
                    "unused" if row.before is None else f"{row.before:.4f}",
                    "unused" if row.after is None else f"{row.after:.4f}",
                    state if row.diverged is None else f"diverged in step {row.diverged}",
                )
            )
        return rows


class RefineDocument(RootModel[RefineReport]):
    """The document refine.json."""

    model_config = STRICT
