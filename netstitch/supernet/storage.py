"""A supernet on disk: JSON and safetensors, written whole or not at all.

supernet.json              names, matches, output choices, how the ensemble is formed
networks/0, networks/1, …  graph.json and weights.safetensors of each basis network
stitches.safetensors       weights and biases of all stitches
fit.json                   how well each stitch translates, where it was fitted
refine.json                what refining was worth, where stitches were refined
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import Tensor

from netstitch.errors import NetstitchError
from netstitch.files.documents import Count, Document, damaged, read_as
from netstitch.files.folders import new_folder, write_json
from netstitch.fitting import FitReport, RefineReport
from netstitch.matching.matches import Match, Matching
from netstitch.networks.network import Network
from netstitch.networks.network_files import GRAPH_FILE, load_graph, write_network, write_weights
from netstitch.stitching.structure import Structure
from netstitch.stitching.switches import make_switchboard
from netstitch.text import one_line

SUPERNET_FILE, STITCHES_FILE, FIT_FILE = "supernet.json", "stitches.safetensors", "fit.json"
REFINE_FILE = "refine.json"
SUPERNET, FIT, REFINE = "netstitch-supernet-1", "netstitch-fit-1", "netstitch-refine-1"

DAMAGE = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError,
    NetstitchError,
)  # fmt: skip
"""What building from a document that somebody edited may raise."""


class Ensemble(Document):
    """The forming of an ensemble; see `Averaging`."""

    rule: Literal["logits", "probabilities"]
    weights: tuple[Annotated[float, Field(gt=0)], ...] | None


class SupernetDocument(Document):
    """supernet.json.

    Attributes:
        fitted: Whether the stitches have weights that mean something. Folders of earlier versions
            do not say it; there a report of the fit does.
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


def write_supernet(
    folder: Path,
    document: Mapping[str, Any],
    networks: Sequence[Network],
    stitches: Mapping[str, Tensor],
    fitted: FitReport | None,
    refined: RefineReport | None,
) -> None:
    """Write networks, stitches, reports and what supernet.json says into a new folder.

    Raises:
        StorageError: when the folder exists and is not empty, or cannot be written.
    """
    with new_folder(folder) as partial:
        for index, network in enumerate(networks):
            inside = partial / "networks" / str(index)
            inside.mkdir(parents=True)
            write_network(network, inside)
        write_weights(partial / STITCHES_FILE, stitches)
        if fitted is not None:
            write_json(partial / FIT_FILE, {"format": FIT} | fitted.to_json())
        if refined is not None:
            write_json(partial / REFINE_FILE, {"format": REFINE} | refined.to_json())
        write_json(partial / SUPERNET_FILE, {"format": SUPERNET, **document})


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
    except DAMAGE as error:
        raise damaged(path, one_line(error)) from error
    return Structure(document.names, graphs, board)
