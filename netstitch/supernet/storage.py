"""A supernet on disk: JSON and safetensors, written whole or not at all, and read back.

supernet.json              names, matches, output choices, how the ensemble is formed
networks/0, networks/1, …  graph.json and weights.safetensors of each basis network
stitches.safetensors       weights and biases of all stitches
fit.json                   how well each stitch translates, where it was fitted
refine.json                what refining was worth, where stitches were refined
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field

from netstitch.errors import NetstitchError, StorageError
from netstitch.files.documents import Count, Document, damaged, read_as
from netstitch.files.folders import new_folder, write_json
from netstitch.fitting.fit_report import FitDocument, StitchFit
from netstitch.fitting.refinement.refine_report import RefineDocument, StitchRefined
from netstitch.matching.matches import Match, Matching
from netstitch.networks.network_files import (
    GRAPH_FILE,
    load_graph,
    load_network,
    read_weights,
    write_network,
    write_weights,
)
from netstitch.stitching.structure import Structure
from netstitch.stitching.subgraph import Averaging
from netstitch.stitching.switches import make_switchboard
from netstitch.supernet.supernet import Supernet
from netstitch.text import one_line

SUPERNET_FILE, STITCHES_FILE, FIT_FILE = "supernet.json", "stitches.safetensors", "fit.json"
REFINE_FILE = "refine.json"
SUPERNET, FIT, REFINE = "netstitch-supernet-1", "netstitch-fit-1", "netstitch-refine-1"

_DAMAGE = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError,
    NetstitchError,
)  # fmt: skip


class Ensemble(Document):
    """The forming of an ensemble; see `Averaging`."""

    rule: Literal["logits", "probabilities"]
    weights: tuple[Annotated[float, Field(gt=0)], ...] | None


class SupernetDocument(Document):
    """supernet.json.

    Attributes:
        fitted: true where the stitches have weights that mean something. Folders of earlier
            versions do not say it; there a report of the fit does.
    """

    names: tuple[str, ...]
    matches: tuple[tuple[str | None, ...], ...]
    weight: float
    upper_bound: float
    method: str
    outputs: tuple[tuple[Count, ...], ...]
    ensemble: Ensemble
    fitted: bool | None = None

    @property
    def matching(self) -> Matching:
        """The matching that the document describes."""
        matches = tuple(Match(points) for points in self.matches)
        return Matching(matches, self.weight, self.upper_bound, self.method)


def write_supernet(supernet: Supernet, folder: Path) -> None:
    """Write networks, matching, stitches and reports into a new folder.

    Raises:
        StorageError: when the folder exists and is not empty, or cannot be written.
    """
    matching, averaging = supernet.matching, supernet.averaging
    with new_folder(folder) as partial:
        for index, network in enumerate(supernet.basis_networks):
            inside = partial / "networks" / str(index)
            inside.mkdir(parents=True)
            write_network(network, inside)
        write_weights(partial / STITCHES_FILE, supernet.stitch_weights())
        if supernet.fit_report is not None:
            write_json(partial / FIT_FILE, {"format": FIT} | supernet.fit_report.to_json())
        if supernet.refine_report is not None:
            write_json(partial / REFINE_FILE, {"format": REFINE} | supernet.refine_report.to_json())
        write_json(
            partial / SUPERNET_FILE,
            {
                "format": SUPERNET,
                "names": list(supernet.names),
                "matches": [list(match.points) for match in matching],
                "weight": matching.weight,
                "upper_bound": matching.upper_bound,
                "method": matching.method,
                "outputs": [list(subset) for subset in supernet.board.outputs],
                "ensemble": {"rule": averaging.rule, "weights": averaging.weights},
                "fitted": supernet.fitted,
            },
        )


def load_supernet(folder: Path) -> Supernet:
    """Return the supernet that `write_supernet` wrote, stitches fitted as they were, or not.

    Raises:
        StorageError: naming the file, when something is missing or damaged.
    """
    path = folder / SUPERNET_FILE
    document = read_as(path, SUPERNET, SupernetDocument)
    try:
        supernet = _read_supernet(document, folder)
    except StorageError:
        raise
    except _DAMAGE as error:
        raise damaged(path, one_line(error)) from error
    _load_stitches(supernet, folder / STITCHES_FILE)
    fitted = (folder / FIT_FILE).exists() if document.fitted is None else document.fitted
    if fitted:
        supernet.set_stitches(supernet.stitch_weights())
    if (path := folder / FIT_FILE).exists():
        supernet.fit_report = read_as(path, FIT, FitDocument).root
        _check_rows(path, supernet, supernet.fit_report.rows)
    if (path := folder / REFINE_FILE).exists():
        supernet.refine_report = read_as(path, REFINE, RefineDocument).root
        _check_rows(path, supernet, supernet.refine_report.rows)
    return supernet


def load_structure(folder: Path) -> Structure:
    """Return what `write_supernet` wrote but for all weights, which may be gigabytes.

    Raises:
        StorageError: naming the file, when something is missing or damaged.
    """
    path = folder / SUPERNET_FILE
    document = read_as(path, SUPERNET, SupernetDocument)
    files = [folder / "networks" / str(i) / GRAPH_FILE for i in range(len(document.names))]
    graphs = tuple(load_graph(file) for file in files)
    try:
        board = make_switchboard(graphs, document.matching, document.outputs)
    except _DAMAGE as error:
        raise damaged(path, one_line(error)) from error
    return Structure(document.names, graphs, board)


def _read_supernet(document: SupernetDocument, folder: Path) -> Supernet:
    networks = [load_network(folder / "networks" / str(i)) for i in range(len(document.names))]
    averaging = Averaging(document.ensemble.rule, document.ensemble.weights)
    supernet = Supernet(networks, document.matching, averaging=averaging, outputs=document.outputs)
    if supernet.names != document.names:
        raise ValueError(
            f"names {document.names!r:.80}, but the networks are {', '.join(supernet.names)}"
        )
    return supernet


def _check_rows(
    path: Path, supernet: Supernet, rows: Sequence[StitchFit] | Sequence[StitchRefined]
) -> None:
    """Raise StorageError where a report is not of the supernet's stitches."""
    own = [(stitch.match, stitch.source, stitch.target) for stitch in supernet.stitches]
    if [(row.match, row.source, row.target) for row in rows] != own:
        raise damaged(path, "its rows are not the supernet's stitches")


def _load_stitches(supernet: Supernet, path: Path) -> None:
    stored = read_weights(path)
    own = supernet.stitch_weights()
    surplus = stored.keys() - own.keys()
    if surplus:
        raise StorageError(f"{path} holds {min(surplus)!r}, which is of no stitch")
    for key, tensor in own.items():
        if key not in stored or stored[key].shape != tensor.shape:
            raise StorageError(f"{path} lacks {key!r} of shape {tuple(tensor.shape)}")
    with torch.no_grad():
        for key, tensor in own.items():
            tensor.copy_(stored[key])
