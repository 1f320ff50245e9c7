"""Whatever netstitch wrote, read back: networks, supernets and subnetworks.

They are JSON and safetensors; a supernet's folder is described in `supernet/supernet_writing.py`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, fx

from netstitch.errors import NetstitchError, StorageError
from netstitch.files.documents import Count, Document, damaged, read_as
from netstitch.files.folders import as_path, write_json
from netstitch.fitting.fit_report import FitDocument, StitchFit
from netstitch.fitting.refinement.refine_report import RefineDocument, StitchRefined
from netstitch.matching.matches import Match, Matching
from netstitch.networks.graph import Graph
from netstitch.networks.graph_document import GraphDocument, graph_to_json, to_graph
from netstitch.networks.module import build_module
from netstitch.networks.network import Network
from netstitch.networks.network_files import (
    GRAPH_FILE,
    WEIGHTS_FILE,
    built,
    check_weights,
    load_graph,
    load_network,
    read_weights,
    write_weights,
)
from netstitch.stitching.structure import Structure
from netstitch.stitching.subgraph import Averaging
from netstitch.stitching.switches import make_switchboard
from netstitch.supernet.supernet import Supernet
from netstitch.supernet.supernet_writing import (
    FIT,
    FIT_FILE,
    REFINE,
    REFINE_FILE,
    STITCHES_FILE,
    SUPERNET,
    SUPERNET_FILE,
)
from netstitch.text import one_line

SUBNETWORK = "netstitch-subnetwork-1"
SUBNETWORK_FILE = "subnetwork.json"

_DAMAGE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


class Ensemble(Document):
    """How an ensemble is formed; see `Averaging`."""

    rule: Literal["logits", "probabilities"]
    weights: tuple[Annotated[float, Field(gt=0)], ...] | None


class SupernetDocument(Document):
    """supernet.json.

    fitted: whether its stitches were; folders of earlier versions say it by a report of the fit.
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
        matches = tuple(Match(points) for points in self.matches)
        return Matching(matches, self.weight, self.upper_bound, self.method)


class SubnetworkDocument(GraphDocument):
    """subnetwork.json."""

    card: dict[str, Any]


def load(folder: Path | str) -> Network | Supernet | fx.GraphModule:
    """What `save` or `netstitch export` wrote: a network, a supernet, or a subnetwork.

    Nothing in the folder can run code: graphs are listed operations, weights are safetensors.

    Raises StorageError, naming the file, when something is missing or damaged.
    """
    folder = as_path(folder)
    if (folder / SUPERNET_FILE).exists():
        return load_supernet(folder)
    if (folder / SUBNETWORK_FILE).exists():
        return load_subnetwork(folder)
    if (folder / GRAPH_FILE).exists():
        return load_network(folder)
    inside = folder / "supernet"
    if (inside / SUPERNET_FILE).exists():  # the folder of a run
        return load_supernet(inside)
    raise StorageError(
        f"{folder} holds no network, supernet or subnetwork ({GRAPH_FILE}, {SUPERNET_FILE} or "
        f"{SUBNETWORK_FILE}); give a folder that netstitch wrote"
    )


def load_supernet(folder: Path) -> Supernet:
    """The supernet that `Supernet.save` wrote, stitches fitted as they were, or not."""
    path = folder / SUPERNET_FILE
    document = read_as(path, SUPERNET, SupernetDocument)
    try:
        supernet = _read_supernet(document, folder)
    except StorageError:
        raise
    except (*_DAMAGE, NetstitchError) as error:
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
    """What `Supernet.save` wrote but for all weights, which may be gigabytes.

    Raises StorageError, naming the file, when something is missing or damaged.
    """
    path = folder / SUPERNET_FILE
    document = read_as(path, SUPERNET, SupernetDocument)
    places = [folder / "networks" / str(i) / GRAPH_FILE for i in range(len(document.names))]
    graphs = tuple(load_graph(place) for place in places)
    try:
        board = make_switchboard(graphs, document.matching, document.outputs)
    except (*_DAMAGE, NetstitchError) as error:
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


def write_subnetwork(
    folder: Path, graph: Graph, weights: dict[str, Tensor], card: dict[str, Any]
) -> None:
    """Write a subnetwork's graph and weights into an existing folder.

    card: what to keep beside the graph, such as cost and accuracy; plain JSON data.
    """
    document = {"format": SUBNETWORK, "card": card} | graph_to_json(graph)
    write_json(folder / SUBNETWORK_FILE, document)
    write_weights(folder / WEIGHTS_FILE, weights)


def load_subnetwork(folder: Path) -> fx.GraphModule:
    """The module of an exported subnetwork, from its JSON graph and safetensors."""
    path = folder / SUBNETWORK_FILE
    graph = to_graph(read_as(path, SUBNETWORK, SubnetworkDocument), path)
    weights = read_weights(folder / WEIGHTS_FILE)
    check_weights(graph, weights, folder / WEIGHTS_FILE)
    for tensor in weights.values():
        if isinstance(tensor, torch.nn.Parameter):
            tensor.requires_grad_(tensor.is_floating_point())
    return built(path, lambda: build_module(graph, weights))
