"""What refining did, and what it was worth."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import AllowInfNan, BeforeValidator, RootModel

from netstitch.files.documents import STRICT, Count, Seconds, validated
from netstitch.fitting.fit_report import Setting
from netstitch.stitching.stitch import FeatureRef

_NOT_FINITE = ("inf", "-inf", "nan")

Loss = Annotated[
    float,
    AllowInfNan(True),
    BeforeValidator(lambda value: float(value) if value in _NOT_FINITE else value),
]
"""A loss that need not be finite, which JSON has only text for."""

HEADER = ("match", "source", "target", "loss before", "after", "")


@dataclass(frozen=True)
class StitchRefined:
    """One stitch, as the only one of a subnetwork.

    before, after: mean loss on images used for neither training nor choosing, with the first
        stage's weights and with those kept; None where no output depends on the stitch.
    kept: whether it keeps what it learned. diverged: the step at which it was put back since
        values were not finite; otherwise None.
    """

    match: Count
    source: FeatureRef
    target: FeatureRef
    before: Loss | None
    after: Loss | None
    kept: bool
    diverged: Count | None


@dataclass(frozen=True)
class CurvePoint:
    """Held-out loss of the same few subnetworks after so many steps and seconds."""

    step: Count
    seconds: Seconds
    loss: Loss


@dataclass(frozen=True)
class RefineReport:
    """What refining did.

    settings: what it was given. steps: done. samples: images trained on, repeats counted.
    distinct: different images among them. left_out: images that did not fit into memory.
    chosen_on, reported_on: images that stitches were chosen by, and that losses are of.
    seconds: of the whole. several_before, several_after: mean loss of random subnetworks with four
    active stitches, on the images reported on; None where there are none.
    """

    settings: Mapping[str, Setting]
    steps: Count
    samples: Count
    distinct: Count
    left_out: Count
    chosen_on: Count
    reported_on: Count
    seconds: Seconds
    several_before: Loss | None
    several_after: Loss | None
    curve: tuple[CurvePoint, ...]
    rows: tuple[StitchRefined, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as plain dictionaries, lists, numbers and strings.

        Losses that are not finite become strings, since JSON has no numbers for them.
        """
        plain: dict[str, Any] = _finite(asdict(self) | {"settings": dict(self.settings)})
        return plain

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "RefineReport":
        """Return the report that `to_json` wrote; StorageError where the data is something else."""
        return validated(data, RefineDocument, "the refine report").root

    def table(self) -> list[tuple[str, ...]]:
        """Rows of text for a terminal, the first one the header."""
        return [HEADER, *(_text(row) for row in self.rows)]


def _text(row: StitchRefined) -> tuple[str, ...]:
    state = "kept" if row.kept else "as before"
    return (
        str(row.match),
        f"{row.source.network}: {row.source.point}",
        f"{row.target.network}: {row.target.point}",
        "unused" if row.before is None else f"{row.before:.4f}",
        "unused" if row.after is None else f"{row.after:.4f}",
        state if row.diverged is None else f"diverged in step {row.diverged}",
    )


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


class RefineDocument(RootModel[RefineReport]):
    """refine.json."""

    model_config = STRICT
