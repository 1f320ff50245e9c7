"""Three families of cascades by their stages: references, references and exits, and all."""

from collections.abc import Sequence
from dataclasses import dataclass

from netstitch.analysis.cascade_point import CurveRow
from netstitch.cascades.choosing import choose_drafts
from netstitch.cascades.curves import curve_of
from netstitch.cascades.draft_search import search_drafts
from netstitch.cascades.drafts import Drafts
from netstitch.cascades.stage_table import StageTable, silent
from netstitch.cascades.terms import Stage
from netstitch.events import ProgressCallback
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.stitching.exit import Exit

Curves = dict[Cascade, tuple[CurveRow, ...]]
"""Cascades by rising mean cost on validation samples, each with its curve."""


@dataclass(frozen=True)
class Families:
    """The cascades that `choose_drafts` keeps of each family, with their curves.

    Attributes:
        plain: Their stages are references.
        with_exits: References and exits.
        every: All candidates.
        exits: The exits that no other single candidate beats.
    """

    plain: Curves
    with_exits: Curves
    every: Curves
    exits: tuple[Exit, ...]

    @property
    def apart(self) -> list[Cascade]:
        """The cascades with exits; none where nothing is stitched, since `every` is the same."""
        same = list(self.with_exits) == list(self.every)
        return [] if same else [one for one in self.with_exits if one.exits]


def find_families(
    table: StageTable,
    stages: Sequence[Stage],
    references: Sequence[int],
    most: int,
    progress: ProgressCallback = silent,
) -> Families:
    """Return the cascades of each family.

    Args:
        table: Of the stages, on validation samples.
        stages: The candidates.
        references: Those of them that are references.
        most: The most stages of a cascade.
        progress: Called with how many cascades were tried.
    """
    exits = [i for i, stage in enumerate(stages) if isinstance(stage.subnetwork, Exit)]
    every = range(len(stages))

    def found(candidates: Sequence[int]) -> Curves:
        drafts = choose_drafts(table, search_drafts(table, candidates, most, progress), references)
        return {
            as_cascade(table, stages, drafts, index): curve_of(table, drafts, index)
            for index in range(len(drafts))
        }

    alone = table.alone.undominated
    kept = [stages[index].subnetwork for index in alone.stages[:, 0]]
    only_plain = found(references)
    with_exits = found([*references, *exits]) if exits else {}
    both = len(references) + len(exits) == len(stages)
    return Families(
        only_plain,
        with_exits,
        (with_exits or only_plain) if both else found(every),
        tuple(one for one in kept if isinstance(one, Exit)),
    )


def as_cascade(table: StageTable, stages: Sequence[Stage], drafts: Drafts, index: int) -> Cascade:
    """Return one draft as a cascade, with the temperatures of its terms."""
    path = drafts.path(index)
    temperatures = table.answers.temperatures
    made = []
    for place, candidate in enumerate(path):
        last = place == len(path) - 1
        made.append(
            CascadeStage(
                stages[candidate].subnetwork,
                None if last else float(drafts.thresholds[index, place]),
                "mean" if drafts.mean[index, place] else "own",
                tuple(temperatures[term] for term in stages[candidate].terms),
            )
        )
    return Cascade(tuple(made), table.answers.kind)
