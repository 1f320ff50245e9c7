"""A subnetwork becomes a folder of checked files."""

import json
import platform
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from torch import Tensor

from netstitch.errors import ExportError, NetstitchError
from netstitch.events import StepsCallback
from netstitch.exporting.cascade_card import cascade_card, selected_card
from netstitch.exporting.export_check import (
    ADVICE,
    Difference,
    Probe,
    check,
    check_in_words,
    probes,
)
from netstitch.exporting.formats import Format, choose_formats
from netstitch.exporting.onnx_format import OPSET, PACKAGES
from netstitch.exporting.subnetwork import Subnetwork, take_subnetwork
from netstitch.files.folders import as_path, check_new, new_folder, write_json
from netstitch.fitting import Batch, stitched_norms
from netstitch.networks.counting import count_parameters
from netstitch.networks.graph import Graph
from netstitch.stitching.cascade import Cascade
from netstitch.stitching.exit import Exit
from netstitch.stitching.genotype import check_genotype
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Runnable, Supernet
from netstitch.version import VERSION

EXPORT, EXPORT_FILE = "netstitch-export-1", "export.json"

RECALIBRATED, FOLDED = "batch_norms_recalibrated", "batch_norms_folded"
"""Entries of the card, where it was asked for: how many norms there were."""


@dataclass(frozen=True)
class ExportedFile:
    """One format of an export, run and found equal to the subnetwork.

    Attributes:
        format: "json", "pt2" or "onnx".
        path: The file; of several, the one that is opened.
        bytes: Size of all files of the format.
        difference: Of its outputs from the subnetwork's, the largest over all batches.
        seconds: To write, to reopen and to compare.
        usage: How to run it, one line of Python.
    """

    format: str
    path: Path
    bytes: int
    difference: Difference
    seconds: float
    usage: str


@dataclass(frozen=True)
class Exported:
    """A folder that `export` wrote, with the facts of export.json and a file of each format."""

    folder: Path
    card: Mapping[str, Any]
    files: tuple[ExportedFile, ...]


def export(
    supernet: Supernet,
    genotype: Runnable,
    folder: Path | str,
    *,
    card: Mapping[str, object] | None = None,
    formats: Sequence[str] = ("json", "pt2", "onnx"),
    example: Tensor | None = None,
    recalibrate: Iterable[Batch] | None = None,
    fold: bool = False,
    output: str | None = None,
    progress: StepsCallback | None = None,
) -> Exported:
    """Write the subnetwork of a genotype, or an exit, into a new folder, whole or not at all.

    Each file takes batches of any size. It is run at batch sizes that the exporter has not seen
    and compared with the subnetwork before this returns; export.json holds the largest difference,
    facts about the subnetwork and its cost, and how each file is run.

    Args:
        supernet: It stays as it is.
        genotype: Of the subnetwork; or an exit, or a cascade, whose decisions are in the files.
        folder: New, or empty.
        card: Facts to keep beside it, such as accuracies; plain JSON data. Genotype or exit,
            output, networks, multiply-adds and parameters are added.
        formats: Some of "json" (which `netstitch.load` reads), "pt2" and "onnx".
        example: Inputs (n, ...) whose mean and standard deviation the random inputs of trace and
            check take; by default 0 and 1. The values themselves are not written.
        recalibrate: Batches of inputs (n, ...), or of tuples that start with them, that the batch
            norms behind the subnetwork's stitches take their statistics from (see
            `netstitch.fitting.recalibrated`); a few hundred images are enough, labels are not
            needed. The card says how many norms there were, which may be none.
        fold: Let convolutions and linear layers carry the batch norms behind them, where nothing
            else reads them; the files are compared with the subnetwork before folding.
        output: The key of the output that a cascade decides by; needed where there are several.
        progress: Called before each step and at the end.

    Raises:
        ExportError: Where an exporter fails, or a file does not compute what the subnetwork does.
        StitchingError: For a genotype that does not fit, or uses stitches that were never fitted,
            and for a cascade with inputs to recalibrate with.
        StorageError: Where the folder exists and is not empty, or cannot be written.
        FittingError: For inputs that norms cannot be measured on.
    """
    if not isinstance(supernet, Supernet):
        raise ExportError(
            f"export takes a supernet, got a {type(supernet).__name__}: give ns.Supernet([a, b], "
            "ns.match(a, b)) first, then a genotype and a folder"
        )
    folder = as_path(folder)
    chosen = choose_formats(formats)
    if not isinstance(genotype, Exit | Cascade):
        genotype = check_genotype(supernet.cardinalities, genotype)
    supernet.check_fitted(genotype)
    check_new(folder)
    subnetwork = take_subnetwork(supernet, genotype, example, recalibrate, output)
    changes: dict[str, int] = {}
    if recalibrate is not None and isinstance(subnetwork.graph, Graph):
        changes[RECALIBRATED] = len(stitched_norms(subnetwork.graph))
    compared = probes(subnetwork, example)
    if fold:
        folded = subnetwork.folded()
        changes[FOLDED] = subnetwork.batch_norms - folded.batch_norms
        subnetwork = folded
    facts = _facts(card or {}, changes, _identity(supernet, genotype, subnetwork))
    report = progress or (lambda done, total, text: None)
    with new_folder(folder) as partial:
        files = []
        for done, (name, form) in enumerate(chosen.items()):
            report(done, len(chosen), f"writing and checking {form.files[0]}")
            started = time.perf_counter()
            found = _write_and_check(form, subnetwork, partial, facts, compared)
            # A format's files, and what an exporter lays beside them.
            size = sum(p.stat().st_size for f in form.files for p in partial.glob(f"{f}*"))
            seconds = time.perf_counter() - started
            usage = form.usage_in(folder.as_posix(), subnetwork)
            path = folder / form.files[0]
            files.append(ExportedFile(name, path, size, found, seconds, usage))
        document = _document(subnetwork, facts, chosen, files) | check_in_words(compared)
        write_json(partial / EXPORT_FILE, document)
    report(len(chosen), len(chosen), f"wrote {folder}")
    return Exported(folder, facts, tuple(files))


def _write_and_check(
    form: Format,
    subnetwork: Subnetwork,
    folder: Path,
    card: dict[str, object],
    probes: Sequence[Probe],
) -> Difference:
    file = form.files[0]
    doing = "made"
    try:
        form.write(subnetwork, folder, card)
        doing = "run"
        return check(file, form.reopen(subnetwork, folder), probes)
    except (NetstitchError, OSError):
        raise
    except Exception as error:  # exporters and runtimes raise many kinds
        raise ExportError(
            f"{file} cannot be {doing} ({type(error).__name__}: {_first_line(error)}); {ADVICE}"
        ) from error


def _first_line(error: Exception) -> str:
    """Return the first line of a message, without the colours that exporters give terminals."""
    plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", str(error))
    lines = (line.strip() for line in plain.splitlines())
    return next((line for line in lines if line), "no reason given")[:200].rstrip(".;:")


def _identity(
    supernet: Supernet, genotype: Genotype | Exit | Cascade, subnetwork: Subnetwork
) -> dict[str, object]:
    """Return the entries of the card on the exported part of the supernet."""
    chosen: dict[str, object]
    if isinstance(genotype, Cascade):
        card = cascade_card(supernet, genotype, subnetwork)
        output, chosen = card["stages"][-1]["output"], {"cascade": card}
    elif isinstance(genotype, Exit):
        output, chosen = supernet.names[genotype.network], selected_card(supernet, genotype)
    else:
        output = supernet.outputs[int(genotype[-1])]
        chosen = selected_card(supernet, tuple(genotype.tolist()))
    return {
        **chosen,
        "output": output,
        "networks": list(supernet.names),
        "multiply_adds": subnetwork.graph.multiply_adds,
        "parameters": count_parameters(subnetwork.weights),
    }


def _facts(
    card: Mapping[str, object], changes: Mapping[str, int], identity: Mapping[str, object]
) -> dict[str, object]:
    """Return the card with all that is added to it; raise ExportError unless it is JSON data."""
    if not isinstance(card, Mapping):
        raise ExportError(f"the card is a {type(card).__name__}; give a dictionary, or none")
    facts = {**card, **changes, **identity}
    try:
        json.dumps(facts, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ExportError(
            f"the card cannot be written as JSON ({error}); give numbers, strings, lists and "
            "dictionaries, and no NaN"
        ) from error
    return facts


def _document(
    subnetwork: Subnetwork,
    card: dict[str, object],
    formats: Mapping[str, Format],
    files: Sequence[ExportedFile],
) -> dict[str, object]:
    packages = ("torch", *(PACKAGES if "onnx" in formats else ()))
    node = subnetwork.graph.input
    document: dict[str, Any] = {
        "format": EXPORT,
        "card": card,
        "input": {"shape": list(node.shape or ()), "dtype": node.dtype},
        "outputs": list(subnetwork.graph.output_keys),
        "versions": {"netstitch": VERSION, "python": platform.python_version()}
        | {name: _installed_version(name) for name in packages},
        "files": {
            file.format: {
                "files": list(formats[file.format].files),
                "bytes": file.bytes,
                "largest_difference": asdict(file.difference),
                # Relative to the folder, so that it may be moved.
                "usage": formats[file.format].usage_in(".", subnetwork),
            }
            for file in files
        },
    }
    if "onnx" in formats:
        document["files"]["onnx"]["opset"] = OPSET
    return document


def _installed_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
