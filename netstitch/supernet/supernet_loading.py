"""A supernet read back from the folder that it was saved in."""

import sys
from collections.abc import Sequence
from pathlib import Path

from netstitch.errors import StitchingError, StorageError
from netstitch.files.documents import damaged, read_as
from netstitch.fitting.exit_report import ExitReport
from netstitch.fitting.fit_report import FitReport, ReportRow
from netstitch.fitting.refinement.refine_report import RefineReport
from netstitch.networks.network_files import load_network, read_weights
from netstitch.stitching.exit_graph import check_exits, exit_output
from netstitch.stitching.subgraph import Averaging
from netstitch.supernet import storage
from netstitch.supernet.supernet import Supernet
from netstitch.text import one_line


def load_supernet(folder: Path) -> Supernet:
    """Return the supernet that `write_supernet` wrote, stitches fitted as they were, or not.

    Raises:
        StorageError: naming the file, when something is missing or damaged.
    """
    path = folder / storage.SUPERNET_FILE
    document = read_as(path, storage.SUPERNET, storage.SupernetDocument)
    try:
        supernet = _read_supernet(document, folder)
    except StorageError:
        raise
    except storage.DAMAGE as error:
        raise damaged(path, one_line(error)) from error
    fitted = (folder / storage.FIT_FILE).exists() if document.fitted is None else document.fitted
    stored = read_weights(folder / storage.STITCHES_FILE)
    try:
        supernet.set_stitches(stored, fitted=fitted)
    except StitchingError as error:
        raise damaged(folder / storage.STITCHES_FILE, str(error)) from error
    if (path := folder / storage.FIT_FILE).exists():
        supernet.fit_report = read_as(path, storage.FIT, FitReport)
        _check_rows(path, supernet, supernet.fit_report.rows)
    if (path := folder / storage.REFINE_FILE).exists():
        supernet.refine_report = read_as(path, storage.REFINE, RefineReport)
        _check_rows(path, supernet, supernet.refine_report.rows)
    if document.exits is not None:
        _read_exits(supernet, document.exits, folder)
    return supernet


def _read_exits(supernet: Supernet, entry: storage.ExitsEntry, folder: Path) -> None:
    """Give a supernet the exits that its folder holds."""
    try:
        check_exits(supernet.structure, exit_output(supernet.structure, entry.output), entry.exits)
    except StitchingError as error:
        raise damaged(folder / storage.SUPERNET_FILE, str(error)) from error
    path = folder / storage.EXITS_FILE
    weights = read_weights(path) if entry.exits else {}
    try:
        supernet.set_exits(entry.exits, weights, output=entry.output)
    except StitchingError as error:
        raise damaged(path, str(error)) from error
    path = folder / storage.EXIT_REPORT_FILE
    if path.exists():
        report = read_as(path, storage.EXITS, ExitReport)
        if tuple(row.exit for row in report.rows if row.fate == "kept") != supernet.exits:
            raise damaged(path, "the exits that it says are kept are not the supernet's")
        supernet.exit_report = report


def _read_supernet(document: storage.SupernetDocument, folder: Path) -> Supernet:
    networks = [load_network(folder / "networks" / str(i)) for i in range(len(document.names))]
    averaging = Averaging(document.ensemble.rule, document.ensemble.weights)
    supernet = Supernet(
        networks,
        document.matching,
        averaging=averaging,
        outputs=document.outputs,
        memory_budget=sys.maxsize,  # it was within the one that it was made with
    )
    if supernet.names != document.names:
        raise ValueError(
            f"names {document.names!r:.80}, but the networks are {', '.join(supernet.names)}"
        )
    return supernet


def _check_rows(path: Path, supernet: Supernet, rows: Sequence[ReportRow]) -> None:
    """Raise StorageError where a report is not of the supernet's stitches."""
    own = [(stitch.match, stitch.source, stitch.target) for stitch in supernet.stitches]
    if [(row.match, row.source, row.target) for row in rows] != own:
        raise damaged(path, "its rows are not the supernet's stitches")
