"""The report of fitted exits: what each is worth on held-out samples, and which are kept."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from netstitch.files.documents import Count, Seconds, Share
from netstitch.fitting.fit_report import Setting, StitchReport
from netstitch.stitching.exit import Exit
from netstitch.text import counted, short_number

Fate = Literal["kept", "dominated", "unsupported"]
"""The fate of an exit: it is kept; or a cheaper one of its network is as good on held-out
samples; or these do not show that it is better than the same probabilities for every sample."""


@dataclass(frozen=True)
class ExitFit:
    """One exit.

    Attributes:
        exit: What it reads.
        multiply_adds: For one sample.
        nats: Cross-entropy with the ensemble's probabilities, the mean over held-out samples.
        agreement: The share of held-out samples, or positions of these, whose likeliest class is
            the ensemble's.
        strength: Of the penalty that held-out samples chose.
        fate: Whether it is kept, or why not.
    """

    exit: Exit
    multiply_adds: Count
    nats: float
    agreement: Share
    strength: float
    fate: Fate


class ExitReport(StitchReport):
    """The report of a fit of exits.

    Attributes:
        output: The key of the networks' output that exits stand for.
        settings: Fields of `ExitSettings` by name.
        samples: Samples that the kept exits were fitted on.
        held_out: Those of them that were held out at first, which rows are of.
        whole: Whether all samples that were given fitted into memory.
        seconds: Wall-clock time of the whole.
        constant: Nats of the best probabilities that are the same for every sample.
        least: Nats of the ensemble itself: no exit can have less.
        rows: One for each exit that was fitted, by network, in the order of computation.
    """

    kind: ClassVar[str] = "exits"
    output: str | None
    settings: Mapping[str, Setting]
    samples: Count
    held_out: Count
    whole: bool
    seconds: Seconds
    constant: float
    least: float
    rows: tuple[ExitFit, ...]

    def count(self, fate: Fate) -> int:
        """Return the number of exits with a fate."""
        return sum(row.fate == fate for row in self.rows)

    def doubts(self) -> Iterator[str]:
        """Yield what a user should know of exits that are missing, a line each."""
        if not self.whole:
            yield (
                f"exits were fitted on {counted(self.samples, 'sample')}, since features of more "
                "do not fit in memory_budget"
            )
        if not self.rows:
            yield "no exit costs less than its network, so there are none"
        if left := self.count("unsupported"):
            yield (
                f"{left} of {counted(len(self.rows), 'exit')} are left out, since on "
                f"{counted(self.held_out, 'held-out sample')} they are no better than one guess "
                "for all; give more samples"
            )

    def table(self) -> list[tuple[str, ...]]:
        """Return rows of text for a terminal, the first one the header."""
        rows: list[tuple[str, ...]] = [
            ("network", "exit", "points", "multiply-adds", "nats", "agreement", "")
        ]
        for row in self.rows:
            one = row.exit
            rows.append(
                (
                    *(str(one.network), one.point, str(len(one.points))),
                    *(
                        short_number(row.multiply_adds),
                        f"{row.nats:.4f}",
                        f"{100 * row.agreement:.1f} %",
                    ),
                    row.fate,
                )
            )
        return rows
