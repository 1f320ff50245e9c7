"""A supernet on disk: JSON and safetensors, written whole or not at all.

supernet.json              names, matches, output choices, how the ensemble is formed, exits
networks/0, networks/1, …  graph.json and weights.safetensors of each basis network
stitches.safetensors       weights and biases of all stitches
fit.json                   how well each stitch translates, where it was fitted
refine.json                what refining was worth, where stitches were refined
exits.safetensors          weights and biases of all exits, where there are any
exits.json                 how good each exit is, where they were fitted
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from netstitch.errors import NetstitchError
from netstitch.files.documents import Count, Document, damaged, read_as
from netstitch.files.folders import new_folder, read_json, write_json
from netstitch.fitting import ExitReport, FitReport, RefineReport
from netstitch.matching.matches import Match, Matching
from netstitch.networks.network import Network
from netstitch.networks.network_files import GRAPH_FILE, load_graph, write_network, write_weights
from netstitch.stitching.exit import Exit
from netstitch.stitching.structure import Structure
from netstitch.stitching.switches import make_switchboard
from netstitch.text import one_line

SUPERNET_FILE, STITCHES_FILE, FIT_FILE = "supernet.json", "stitches.safetensors", "fit.json"
REFINE_FILE, EXITS_FILE, EXIT_REPORT_FILE = "refine.json", "exits.safetensors", "exits.json"
SUPERNET, FIT, REFINE = "netstitch-supernet-1", "netstitch-fit-1", "netstitch-refine-1"
EXITS = "netstitch-exits-1"

DAMAGE = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError,
    NetstitchError,
)  # fmt: skip
"""Errors that building from a document that somebody edited may raise."""


class EnsembleDocument(Document):
    """The forming of an ensemble; see `Averaging`."""

    rule: Literal["logits", "probabilities"]
    weights: tuple[Annotated[float, Field(gt=0)], ...] | None


class ExitsEntry(Document):
    """The exits of a supernet, and the key of the output that they stand for."""

    output: str | None
    exits: tuple[Exit, ...]


class SupernetDocument(Document):
    """supernet.json.

    Attributes:
        fitted: Whether the stitches were fitted or set. Folders of earlier versions lack it, and a
            report of the fit tells.
        exits: None where there are none, as in folders of earlier versions.
        directions: Those of each match, None where it has all, as in folders of earlier versions.
    """

    names: tuple[str, ...]
    matches: tuple[tuple[str | None, ...], ...]
    weight: float
    upper_bound: float
    method: str
    outputs: tuple[tuple[Count, ...], ...]
    ensemble: EnsembleDocument
    fitted: bool | None = None
    exits: ExitsEntry | None = None
    directions: tuple[tuple[tuple[int, int], ...] | None, ...] | None = None

    @property
    def matching(self) -> Matching:
        """The matching that the document describes."""
        directions = self.directions or (None,) * len(self.matches)
        matches = tuple(Match(*each) for each in zip(self.matches, directions, strict=True))
        return Matching(matches, self.weight, self.upper_bound, self.method)


@dataclass(frozen=True)
class SupernetFiles:
    """The weights and reports of a supernet.

    Attributes:
        stitches: Weights of stitches by key.
        exits: Those of exits.
        fit: The report on the stitches' fit, if there is one.
        refine: On refining.
        exit_fit: On the exits' fit.
    """

    stitches: Mapping[str, Tensor]
    exits: Mapping[str, Tensor]
    fit: FitReport | None
    refine: RefineReport | None
    exit_fit: ExitReport | None


def write_supernet(
    folder: Path, document: Mapping[str, object], networks: Sequence[Network], files: SupernetFiles
) -> None:
    """Write networks, supernet.json, weights and reports into a new folder.

    Raises:
        StorageError: when the folder exists and is not empty, or cannot be written.
    """
    with new_folder(folder) as partial:
        for index, network in enumerate(networks):
            inside = partial / "networks" / str(index)
            inside.mkdir(parents=True)
            write_network(network, inside)
        write_weights(partial / STITCHES_FILE, files.stitches)
        if files.fit is not None:
            write_json(partial / FIT_FILE, {"format": FIT} | files.fit.to_json())
        if files.refine is not None:
            write_json(partial / REFINE_FILE, {"format": REFINE} | files.refine.to_json())
        write_exits(partial, files.exits, files.exit_fit)
        write_json(partial / SUPERNET_FILE, {"format": SUPERNET, **document})


def write_exits(folder: Path, weights: Mapping[str, Tensor], report: ExitReport | None) -> None:
    """Write weights of exits, where there are any, and the report on them."""
    if weights:
        write_weights(folder / EXITS_FILE, weights)
    if report is not None:
        write_json(folder / EXIT_REPORT_FILE, {"format": EXITS} | report.to_json())


def replace_exits(
    folder: Path,
    entry: Mapping[str, object] | None,
    weights: Mapping[str, Tensor],
    report: ExitReport | None,
) -> None:
    """Replace the exits in the folder of a supernet, which readers find whole at any time.

    Args:
        folder: What `write_supernet` wrote.
        entry: Their entry of supernet.json.
        weights: By key.
        report: On their fit.

    Raises:
        StorageError: when the folder holds no supernet, or cannot be written.
    """
    document = read_json(folder / SUPERNET_FILE, SUPERNET)
    if document.get("exits") is not None:  # whose weights are about to go
        write_json(folder / SUPERNET_FILE, document | {"exits": None})
    write_exits(folder, weights, report)
    write_json(folder / SUPERNET_FILE, document | {"exits": entry})


def load_structure(folder: Path) -> Structure:
    """Read a folder of `write_supernet`, but for the weights, which may be gigabytes.

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
