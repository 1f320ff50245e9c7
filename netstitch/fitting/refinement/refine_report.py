"""The report of a refining: steps, losses before and after, and which stitches changed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AllowInfNan, BeforeValidator, PlainSerializer

from netstitch.files.documents import Count, Seconds
from netstitch.fitting.fit_report import ReportRow, Setting, StitchReport

_NOT_FINITE = ("inf", "-inf", "nan")

LossValue = Annotated[
    float,
    AllowInfNan(True),
    BeforeValidator(lambda value: float(value) if value in _NOT_FINITE else value),
    PlainSerializer(lambda value: value if math.isfinite(value) else str(value)),
]
"""A loss that need not be finite, which JSON has only text for."""


@dataclass(frozen=True)
class StitchRefined(ReportRow):
    """One stitch, as the only one of a subnetwork.

    Attributes:
        before: Mean loss on images used for neither training nor choosing, with the first stage's
            weights; None where no output depends on the stitch.
        after: The same with the weights that it keeps.
        kept: Whether these are the trained ones.
        diverged: The step at which it was put back since values were not finite; otherwise None.
    """

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


class RefineReport(StitchReport):
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

    kind: ClassVar[str] = "refine"
    settings: Mapping[str, Setting | Mapping[str, Setting]]
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

    def table(self) -> list[tuple[str, ...]]:
        """Return rows of text for a terminal, the first one the header."""
        rows: list[tuple[str, ...]] = [("match", "source", "target", "loss before", "after", "")]
        for row in self.rows:
            state = "kept" if row.kept else "as before"
            if row.diverged is not None:
                state = f"diverged in step {row.diverged}"
            losses = ("unused" if x is None else f"{x:.4f}" for x in (row.before, row.after))
            rows.append((*row.cells, *losses, state))
        return rows
