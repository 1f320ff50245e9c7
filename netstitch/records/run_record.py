"""A run, read from its folder, whether it is done, goes on, or was stopped."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from netstitch.analysis import Front, FrontPoint, make_front
from netstitch.analysis.front import front_from_json
from netstitch.costs import find_cost
from netstitch.errors import StorageError
from netstitch.evaluation.stored_evaluations import (
    StoredEvaluations,
    no_evaluations,
    read_evaluations,
)
from netstitch.files.documents import STRICT, WORST, Count, Share, damaged, problem
from netstitch.files.folders import read_file
from netstitch.records.front_check import check_cost_known, check_front
from netstitch.records.run_document import (
    RunDocument,
    check_begun,
    how_on,
    read_document,
    state_of,
)
from netstitch.records.run_folder import (
    EVALUATIONS,
    FRONT_FILE,
    HISTORY_FILE,
    RUN_FILE,
    STITCHES,
    SUPERNET,
    is_running,
)
from netstitch.records.unchanged import SUPERNET_FILES, check_folder
from netstitch.searching.sweep import best_of
from netstitch.stitching.structure import Structure
from netstitch.supernet.storage import load_structure
from netstitch.tasks.cross_entropy import score_name
from netstitch.text import one_line

Mean = Annotated[float, Field(ge=0)]


class HistoryRow(BaseModel):
    """A row of search.csv; its columns are those of `Moment` that are shown."""

    model_config = STRICT

    used: Count
    evaluated: Count
    skipped: Count
    unchanged: Count
    nonzero: Mean
    active: Mean


class StitchRow(BaseModel):
    """A row of stitches.csv, as `stitch_table` writes it."""

    model_config = STRICT

    source: str
    source_point: str
    source_depth: Share
    target: str
    target_point: str
    target_depth: Share
    relative_error: float | None = None


@dataclass(frozen=True)
class RunRecord:
    """A run, as its folder tells it.

    Attributes:
        document: Its run.json.
        structure: Of its supernet.
        front: As it was measured, or, before that, of what was evaluated so far.
        measured: Whether the front was measured.
        evaluations: What was evaluated for the search; of references that were evaluated apart, the
            front so far has the scores.
        history: Rows of search.csv.
        stitches: Rows of stitches.csv.
    """

    folder: Path
    state: Literal["done", "running", "stopped"]
    document: RunDocument
    structure: Structure
    front: Front
    measured: bool
    evaluations: StoredEvaluations
    history: tuple[HistoryRow, ...]
    stitches: tuple[StitchRow, ...]

    @property
    def running(self) -> bool:
        """True where a process goes on with it."""
        return self.state == "running"

    @property
    def name(self) -> str:
        """The run's name, or that of its folder."""
        return self.document.name or self.folder.name

    @property
    def scored(self) -> str:
        """The name of the search's score."""
        return score_name(self.document.objective)

    @property
    def scored_as_front(self) -> bool:
        """True where accuracies of the front are scores of the search."""
        return self.scored in (self.front.objective, self.front.measure)

    @property
    def kept_population(self) -> int | None:
        """The population size whose search the run kept; before it ended, that of the last."""
        outcome, begun = self.document.outcome, self.evaluations.searches
        if outcome is not None and outcome.sweep:
            kept = best_of(outcome.sweep).population
            return kept if kept in begun else None
        return max(begun, default=None)

    @property
    def seconds(self) -> float | None:
        """Seconds that the search took; None before it ended."""
        outcome = self.document.outcome
        return None if outcome is None else outcome.search_seconds


def read_run(folder: Path) -> RunRecord:
    """Read a run; its folder is not changed.

    Raises:
        StorageError: The folder is no run's, a file in it is damaged, or nothing is there yet.
    """
    check_begun(folder)
    running = is_running(folder)
    document = check_folder(folder)
    structure = load_structure(folder / SUPERNET)
    stored = evaluations_of(folder, document, structure)
    references = _reference_rows(structure, stored)
    given = {row for search in stored.searches.values() for row in search.evaluation.tolist()}
    apart = {row for row in references.values() if row not in given}
    measured = (folder / FRONT_FILE).exists() and (document.done or not running)
    if measured:
        front = read_front(folder)
        check_front(folder, front, structure)
    else:
        front = _front_so_far(structure, stored, references, apart)
    return RunRecord(
        folder,
        "running" if running else "done" if document.done else "stopped",
        document,
        structure,
        front,
        measured,
        stored.without(apart),
        _read_table(folder / HISTORY_FILE, HistoryRow),
        _read_table(folder / STITCHES, StitchRow),
    )


def _reference_rows(structure: Structure, stored: StoredEvaluations) -> dict[str, int]:
    """Return the rows of the basis networks and the ensemble, as far as they were evaluated."""
    rows = {signature: row for row, signature in enumerate(stored.signatures)}
    found = {}
    for index, output in enumerate(structure.outputs):
        genotype = np.zeros(len(structure.board.cardinalities), np.int64)
        genotype[-1] = index
        row = rows.get(structure.reachability.digest(genotype))
        if row is not None:
            found[output] = row
    return found


def _front_so_far(
    structure: Structure, stored: StoredEvaluations, references: Mapping[str, int], apart: set[int]
) -> Front:
    """Return the front of what was evaluated whole, by the search's own scores.

    References by row, of which those evaluated apart from the search are no networks of the front.
    """
    cost = find_cost(stored.cost_name)
    if not len(stored):
        return Front((), (), stored.score_name, cost_name=cost.name, unit=cost.unit)

    def point(row: int, label: str = "") -> FrontPoint:
        genotype = stored.genotypes[row].astype(np.int64)
        return FrontPoint(
            label=label,
            genotype=tuple(genotype.tolist()),
            multiply_adds=structure.reachability.multiply_adds(genotype),
            stitches=len(structure.active_stitches(genotype)),
            validation=float(stored.score[row]),
            output=structure.outputs[int(genotype[-1])],
            cost=float(stored.cost[row]),
        )

    whole = np.flatnonzero(~stored.stopped_early & ~np.isnan(stored.score))
    found = whole[~np.isin(whole, list(apart))]
    # Those that are better than every cheaper one.
    order = found[np.lexsort((-stored.score[found], stored.cost[found]))]
    best = np.maximum.accumulate(np.concatenate([[-1.0], stored.score[order]]))[:-1]
    leading = order[stored.score[order] > best].tolist()
    known = [point(row, name) for name, row in references.items() if row in whole]
    candidates = [point(row) for row in leading]
    return make_front(candidates, known, stored.score_name, cost_name=cost.name, unit=cost.unit)


def evaluations_of(folder: Path, document: RunDocument, structure: Structure) -> StoredEvaluations:
    """Return the evaluations of a run, without rows where the search did not begin.

    Raises:
        StorageError: The file is missing or damaged, or of another supernet.
    """
    path, names = folder / EVALUATIONS, (score_name(document.objective), document.cost)
    check_cost_known(folder / RUN_FILE, document.cost)
    if document.form is None and not path.exists():
        return no_evaluations(*names)
    stored = read_evaluations(path, *names)
    if len(stored):
        _check_fits(path, stored, structure)
    return stored


def _check_fits(path: Path, stored: StoredEvaluations, structure: Structure) -> None:
    limits, found = structure.board.cardinalities, stored.genotypes
    if found.shape[1] != len(limits) or (found >= np.array(limits)).any():
        raise StorageError(
            f"{path} is of another supernet: a genotype of {found.shape[1]} variables does not fit "
            f"its {len(limits)} switches; {WORST}"
        )


def read_finished(run: Path) -> tuple[RunDocument, Front]:
    """Return run.json of a run, and the front that it was measured to have.

    Raises:
        StorageError: The folder is none of a run, the run has no front yet, or what the front
            relies on changed since.
    """
    check_begun(run)
    document = read_document(run)
    running = is_running(run)
    if not document.done and (running or not (run / FRONT_FILE).exists()):
        raise StorageError(
            f"the run in {run} has no front yet, since it is "
            f"{'still ' if running else ''}{state_of(run, document, running=running)}; "
            f"{how_on(run, running=running)}"
        )
    front = read_front(run)  # one that is damaged is said to be that, and not that it changed
    return check_folder(run, (*SUPERNET_FILES, FRONT_FILE)), front


def read_front(run: Path) -> Front:
    """Return the front in the file of a run; raise StorageError where it is damaged."""
    path = run / FRONT_FILE
    try:
        return front_from_json(read_file(path))
    except (OSError, ValueError) as error:
        reason = "it is missing" if isinstance(error, FileNotFoundError) else one_line(error)
        raise StorageError(
            f"{path} holds no front ({reason}); put back a copy of the run folder"
        ) from error


Row = TypeVar("Row", bound=BaseModel)


def _read_table(path: Path, row: type[Row]) -> tuple[Row, ...]:
    """Return the rows of a CSV file, whose columns are fields; none where it is not there."""
    if not path.exists():
        return ()
    found: list[Row] = []
    try:
        reader = csv.DictReader(io.StringIO(read_file(path).decode()))
        missing = row.model_fields.keys() - set(reader.fieldnames or ())
        if missing:
            raise damaged(path, f"it has no column {min(missing)!r}")
        for texts in reader:
            given = {name: text for name, text in texts.items() if text != ""}
            found.append(row.model_validate_strings(given))
    except ValidationError as error:
        raise damaged(path, f"in row {len(found) + 1}, {problem(error)}") from error
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise damaged(path, one_line(error)) from error
    return tuple(found)
