"""A run, read from its folder, whether it is done, goes on, or was stopped."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from netstitch.analysis import Front, FrontPoint, make_front
from netstitch.analysis.front_point import ACCURACY
from netstitch.costs import COSTS, find_cost
from netstitch.errors import StorageError
from netstitch.evaluation.stored_evaluations import StoredEvaluations, read_evaluations
from netstitch.files.documents import WORST
from netstitch.records.front_check import check_front, read_front
from netstitch.records.run_document import RunDocument
from netstitch.records.run_folder import (
    EVALUATIONS,
    FRONT_FILE,
    HISTORY_FILE,
    STITCHES,
    SUPERNET,
    is_running,
)
from netstitch.records.run_state import check_begun
from netstitch.records.run_tables import HistoryRow, StitchRow, read_table
from netstitch.records.unchanged import check_folder
from netstitch.stitching.structure import Structure
from netstitch.supernet.storage import load_structure
from netstitch.tasks.cross_entropy import CROSS_ENTROPY_SCORE, score_name

State = Literal["done", "running", "stopped"]


@dataclass(frozen=True)
class RunRecord:
    """A run, as its folder tells it.

    Attributes:
        folder: Where it is.
        state: Whether it is done.
        document: Its run.json.
        structure: Of its supernet.
        front: As it was measured, or, before that, of what was evaluated so far.
        measured: Whether the front was measured.
        evaluations: What was evaluated; None before the search began.
        history: Rows of search.csv.
        stitches: Rows of stitches.csv.
    """

    folder: Path
    state: State
    document: RunDocument
    structure: Structure
    front: Front
    measured: bool
    evaluations: StoredEvaluations | None
    history: tuple[HistoryRow, ...]
    stitches: tuple[StitchRow, ...]

    @property
    def name(self) -> str:
        """The run's name, or that of its folder."""
        return self.document.name or self.folder.name

    @property
    def scored(self) -> str:
        """The name of the search's score."""
        return score_name(self.document.objective)


def read_run(folder: Path) -> RunRecord:
    """Read a run; its folder is not changed.

    Raises:
        StorageError: The folder is no run's, a file in it is damaged, or nothing is there yet.
    """
    check_begun(folder)
    running = is_running(folder)
    document = check_folder(folder)
    structure = load_structure(folder / SUPERNET)
    evaluated = document.form is not None or (folder / EVALUATIONS).exists()
    stored = read_evaluations(folder / EVALUATIONS) if evaluated else None
    if stored is not None:
        _check_fits(folder, stored, structure)
    measured = (folder / FRONT_FILE).exists() and (document.done or not running)
    if measured:
        front = read_front(folder)
        check_front(folder / FRONT_FILE, front, structure)
    else:
        front = so_far(structure, stored)
    return RunRecord(
        folder,
        "running" if running else "done" if document.done else "stopped",
        document,
        structure,
        front,
        measured,
        stored,
        read_table(folder / HISTORY_FILE, HistoryRow),
        read_table(folder / STITCHES, StitchRow),
    )


def so_far(structure: Structure, stored: StoredEvaluations | None) -> Front:
    """Return the front of what was evaluated whole, by the search's own scores."""
    if stored is None or not len(stored):
        return Front(())
    whole = np.flatnonzero(~stored.bounded & ~np.isnan(stored.score))
    candidates = [_point(structure, stored, int(row)) for row in _leading(stored, whole)]
    found = _references(structure, stored, whole)
    cost = find_cost(stored.cost_name)
    return make_front(candidates, found, stored.score_name, cost_name=cost.name, unit=cost.unit)


def _leading(stored: StoredEvaluations, whole: np.ndarray) -> np.ndarray:
    """Return those evaluations that are better than every cheaper one."""
    order = whole[np.lexsort((-stored.score[whole], stored.cost[whole]))]
    best = np.maximum.accumulate(np.concatenate([[-1.0], stored.score[order]]))[:-1]
    return np.asarray(order[stored.score[order] > best])


def _point(
    structure: Structure, stored: StoredEvaluations, row: int, label: str = ""
) -> FrontPoint:
    genotype = stored.genotypes[row].astype(np.int64)
    return FrontPoint(
        label=label,
        genotype=tuple(genotype.tolist()),
        multiply_adds=structure.wiring.multiply_adds(genotype),
        stitches=len(structure.active_stitches(genotype)),
        validation=float(stored.score[row]),
        output=structure.outputs[int(genotype[-1])],
        cost=float(stored.cost[row]),
    )


def _references(
    structure: Structure, stored: StoredEvaluations, whole: np.ndarray
) -> list[FrontPoint]:
    """Return the basis networks and the ensemble, as far as they were evaluated."""
    rows = {stored.signatures[row]: row for row in whole.tolist()}
    found = []
    for index, output in enumerate(structure.outputs):
        genotype = np.zeros(len(structure.board.cardinalities), np.int64)
        genotype[-1] = index
        row = rows.get(structure.wiring.digest(genotype))
        if row is not None:
            found.append(_point(structure, stored, row, output))
    return found


def _check_fits(folder: Path, stored: StoredEvaluations, structure: Structure) -> None:
    if not len(stored):
        return
    limits, path = structure.board.cardinalities, folder / EVALUATIONS
    if stored.genotypes.shape[1] != len(limits):
        raise StorageError(
            f"{path} is of another supernet: its genotypes have {stored.genotypes.shape[1]} "
            f"variables, the supernet's {len(limits)}; {WORST}"
        )
    if (stored.genotypes >= np.array(limits)).any():
        raise StorageError(
            f"{path} is of another supernet: a genotype does not fit its switches; {WORST}"
        )
    scores = ACCURACY, CROSS_ENTROPY_SCORE
    for kind, name, known in (
        ("score", stored.score_name, scores),
        ("cost", stored.cost_name, COSTS),
    ):
        if name not in known:
            raise StorageError(f"{path} holds a {kind} {name!r:.80} that is not known; {WORST}")
