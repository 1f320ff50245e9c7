"""Reading a run's front, and checking it against the supernet that it lies beside."""

from pathlib import Path

import numpy as np

from netstitch.analysis import Front, FrontPoint
from netstitch.analysis.front import front_from_json
from netstitch.costs import COSTS, MULTIPLY_ADDS, PARAMETERS
from netstitch.errors import StorageError
from netstitch.files.documents import WORST
from netstitch.files.folders import read_file
from netstitch.records.run_document import (
    RunDocument,
    check_begun,
    how_on,
    read_document,
    state_of,
)
from netstitch.records.run_folder import FRONT_FILE, is_running
from netstitch.records.unchanged import SUPERNET_FILES, check_folder
from netstitch.stitching.structure import Structure
from netstitch.text import one_line


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
    """Return what the front's file of a run says; raise StorageError where it is damaged."""
    path = run / FRONT_FILE
    try:
        return front_from_json(read_file(path))
    except (OSError, ValueError) as error:
        reason = "it is missing" if isinstance(error, FileNotFoundError) else one_line(error)
        raise StorageError(
            f"{path} holds no front ({reason}); put back a copy of the run folder"
        ) from error


def check_front(run: Path, front: Front, structure: Structure) -> None:
    """Raise StorageError unless genotypes, costs, stitches and outputs fit the run's supernet.

    Of costs, multiply-adds and parameters are compared: others may need more than the structure.
    """
    path = run / FRONT_FILE
    check_cost_known(path, front.cost_name)
    for point in (*front.references, *front.points):
        reason = _difference(point, front.cost_name, structure)
        if reason is not None:
            raise StorageError(f"{path} is of another supernet: {point.label} {reason}; {WORST}")


def check_cost_known(path: Path, name: str) -> None:
    """Raise StorageError where a file of a run has a cost that this version does not know."""
    if name not in COSTS:
        raise StorageError(f"{path} holds a cost {name!r:.80} that is not known; {WORST}")


def _difference(point: FrontPoint, cost_name: str, structure: Structure) -> str | None:
    limits = structure.board.cardinalities
    if len(point.genotype) != len(limits) or any(
        value >= limit for value, limit in zip(point.genotype, limits, strict=True)
    ):
        return f"does not fit its {len(limits)} switches"
    genotype = np.array(point.genotype, np.int64)
    work = structure.wiring.multiply_adds(genotype)
    output = structure.outputs[point.genotype[-1]]
    known_costs = {MULTIPLY_ADDS.name: work, PARAMETERS.name: point.parameters}
    for what, found, selected in (
        (MULTIPLY_ADDS.name, point.multiply_adds, work),
        (cost_name, point.cost, known_costs.get(cost_name, point.cost)),
        ("stitches", point.stitches, len(structure.active_stitches(genotype))),
        ("as output", point.output or output, output),
    ):
        if found != selected:
            return f"has {found!r:.80} {what}, and what it selects {selected!r:.80}"
    return None
