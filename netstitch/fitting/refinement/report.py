"""What refining did, and what it was worth."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from netstitch.errors import StorageError
from netstitch.fitting.report import Setting
from netstitch.stitching.stitch import Place

HEADER = ("match", "source", "target", "loss before", "after", "")


@dataclass(frozen=True)
class StitchRefined:
    """One stitch, as the only one of a subnetwork.

    before, after: mean loss on images used for neither training nor choosing, with the first
        stage's weights and with those kept; None where no output depends on the stitch.
    kept: whether it keeps what it learned. diverged: the step at which it was put back since
        values were not finite; otherwise None.
    """

    match: int
    source: Place
    target: Place
    before: float | None
    after: float | None
    kept: bool
    diverged: int | None


@dataclass(frozen=True)
class CurvePoint:
    """Held-out loss of the same few subnetworks after so many steps and seconds."""

    step: int
    seconds: float
    loss: float


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
    steps: int
    samples: int
    distinct: int
    left_out: int
    chosen_on: int
    reported_on: int
    seconds: float
    several_before: float | None
    several_after: float | None
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
        """The report that `to_json` wrote; StorageError where the data is something else."""
        try:
            return RefineReport(
                settings=dict(data["settings"]),
                steps=int(data["steps"]),
                samples=int(data["samples"]),
                distinct=int(data["distinct"]),
                left_out=int(data["left_out"]),
                chosen_on=int(data["chosen_on"]),
                reported_on=int(data["reported_on"]),
                seconds=float(data["seconds"]),
                several_before=_number(data["several_before"]),
                several_after=_number(data["several_after"]),
                curve=tuple(
                    CurvePoint(int(p["step"]), float(p["seconds"]), float(p["loss"]))
                    for p in data["curve"]
                ),
                rows=tuple(_row(row) for row in data["rows"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StorageError(
                f"the refine report is damaged ({type(error).__name__}: {error}); refine the "
                "supernet again, or restore the file"
            ) from None

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


def _row(data: Mapping[str, Any]) -> StitchRefined:
    return StitchRefined(
        match=int(data["match"]),
        source=_place(data["source"]),
        target=_place(data["target"]),
        before=_number(data["before"]),
        after=_number(data["after"]),
        kept=bool(data["kept"]),
        diverged=None if data["diverged"] is None else int(data["diverged"]),
    )


def _place(data: Mapping[str, Any]) -> Place:
    return Place(network=int(data["network"]), point=str(data["point"]))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
