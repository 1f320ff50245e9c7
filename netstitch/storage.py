"""Whatever netstitch wrote, read back: networks, supernets and subnetworks.

They are JSON and safetensors; a supernet's folder is described in `stitching/saving.py`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, fx

from netstitch.errors import NetstitchError, StorageError
from netstitch.fitting import FitReport, RefineReport
from netstitch.folders import as_path, one_line, read_json, write_json
from netstitch.matching.match import Match, Matching
from netstitch.networks.graph import Graph
from netstitch.networks.module import build_module
from netstitch.networks.network import Network
from netstitch.networks.storage import (
    GRAPH_FILE,
    WEIGHTS_FILE,
    built,
    check_weights,
    graph_from_json,
    graph_to_json,
    load_graph,
    load_network,
    read_weights,
    write_weights,
)
from netstitch.stitching.assembly import Averaging
from netstitch.stitching.saving import (
    FIT,
    FIT_FILE,
    REFINE,
    REFINE_FILE,
    STITCHES_FILE,
    SUPERNET,
    SUPERNET_FILE,
)
from netstitch.stitching.structure import Structure
from netstitch.stitching.switches import make_switchboard
from netstitch.supernet import Supernet

SUBNETWORK = "netstitch-subnetwork-1"
SUBNETWORK_FILE = "subnetwork.json"

Report = TypeVar("Report")

_DAMAGE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


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
    document = read_json(path, SUPERNET)
    try:
        supernet = _read_supernet(document, folder)
    except StorageError:
        raise
    except (*_DAMAGE, NetstitchError) as error:
        raise _damaged(path, error) from error
    _load_stitches(supernet, folder / STITCHES_FILE)
    if document.get("fitted", (folder / FIT_FILE).exists()) is True:
        supernet.set_stitches(supernet.stitch_weights())
    if (folder / FIT_FILE).exists():
        supernet.fit_report = _read_report(folder / FIT_FILE, FIT, FitReport.from_json)
    if (folder / REFINE_FILE).exists():
        path = folder / REFINE_FILE
        supernet.refine_report = _read_report(path, REFINE, RefineReport.from_json)
    return supernet


def load_structure(folder: Path) -> Structure:
    """What `Supernet.save` wrote but for all weights, which may be gigabytes.

    Raises StorageError, naming the file, when something is missing or damaged.
    """
    path = folder / SUPERNET_FILE
    document = read_json(path, SUPERNET)
    try:
        names, matching = _names(document), _read_matching(document)
        places = [folder / "networks" / str(i) / GRAPH_FILE for i in range(len(names))]
        graphs = tuple(load_graph(place) for place in places)
        board = make_switchboard(graphs, matching, document["outputs"])
        return Structure(names, graphs, board)
    except StorageError:
        raise
    except (*_DAMAGE, NetstitchError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> StorageError:
    return StorageError(f"{path} is damaged ({type(error).__name__}: {one_line(error)})")


def _names(document: dict[str, Any]) -> tuple[str, ...]:
    names = document["names"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"names {names!r:.80}")
    return tuple(names)


def _read_matching(document: dict[str, Any]) -> Matching:
    matches = document["matches"]
    if not isinstance(matches, list):
        raise TypeError("matches are no list")
    return Matching(
        tuple(Match(_points(points)) for points in matches),
        float(document["weight"]),
        float(document["upper_bound"]),
        str(document["method"]),
    )


def _read_supernet(document: dict[str, Any], folder: Path) -> Supernet:
    names, matching = _names(document), _read_matching(document)
    networks = [load_network(folder / "networks" / str(i)) for i in range(len(names))]
    rule, shares = document["ensemble"]["rule"], document["ensemble"]["weights"]
    if rule not in ("logits", "probabilities"):
        raise ValueError(f"ensemble rule {rule!r:.80}")
    averaging = Averaging(rule, None if shares is None else tuple(map(float, shares)))
    supernet = Supernet(networks, matching, averaging=averaging, outputs=document["outputs"])
    if supernet.names != names:
        raise ValueError(f"names {names!r:.80}, but the networks are {', '.join(supernet.names)}")
    return supernet


def _points(points: Any) -> tuple[str | None, ...]:
    if not isinstance(points, list) or not all(isinstance(p, str | None) for p in points):
        raise TypeError(f"match {points!r:.80}")
    return tuple(points)


def _read_report(path: Path, form: str, read: Callable[[dict[str, Any]], Report]) -> Report:
    document = read_json(path, form)
    try:
        return read(document)
    except (*_DAMAGE, NetstitchError) as error:
        raise StorageError(f"{path} is damaged ({one_line(error)})") from error


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
    graph = graph_from_json(read_json(path, SUBNETWORK), path)
    weights = read_weights(folder / WEIGHTS_FILE)
    check_weights(graph, weights, folder / WEIGHTS_FILE)
    for tensor in weights.values():
        if isinstance(tensor, torch.nn.Parameter):
            tensor.requires_grad_(tensor.is_floating_point())
    return built(path, lambda: build_module(graph, weights))
