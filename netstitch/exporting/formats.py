"""The formats that a subnetwork can be written in, by name."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from netstitch.errors import ExportError
from netstitch.exporting.json_format import SUBNETWORK_FILE, load_subnetwork, write_subnetwork
from netstitch.exporting.onnx_format import (
    ONNX_FILE,
    check_onnx_installed,
    input_name,
    reopen_onnx,
    write_onnx,
)
from netstitch.exporting.subnetwork import OutputsByKey, Subnetwork, run_module
from netstitch.files.folders import write_bytes
from netstitch.networks.network_files import WEIGHTS_FILE
from netstitch.threads import quiet

PT2_FILE = "model.pt2"


def _write_json(subnetwork: Subnetwork, folder: Path, card: dict[str, object]) -> None:
    write_subnetwork(folder, subnetwork.graph, dict(subnetwork.weights), card)


def _reopen_json(subnetwork: Subnetwork, folder: Path) -> Callable[..., OutputsByKey]:
    return partial(run_module, load_subnetwork(folder))


def _write_pt2(subnetwork: Subnetwork, folder: Path, card: dict[str, object]) -> None:
    # Through memory, since a full disk met inside of torch's own writer is no OSError.
    content = io.BytesIO()
    with quiet():
        torch.export.save(subnetwork.program, content)
    write_bytes(folder / PT2_FILE, content.getvalue())


def _reopen_pt2(subnetwork: Subnetwork, folder: Path) -> Callable[..., OutputsByKey]:
    # The file holds a pickle. It is opened here alone, right after it was written, never from a
    # folder that somebody else may have written.
    with quiet():
        module = torch.export.load(folder / PT2_FILE).module()  # its eval() refuses; frozen anyway
    return partial(run_module, module)


@dataclass(frozen=True)
class Format:
    """One format: functions that write it and run it.

    Attributes:
        files: Names of the files it writes; the first one stands for all in messages.
        write: Writes them into an existing folder; the card is plain JSON data about the
            subnetwork.
        reopen: Reads them back, and returns a function that computes a batch; of a cascade it
            takes thresholds too.
        usage: How to run it, one line of Python; FOLDER and INPUT stand for these.
        check_installed: Raises ExportError when a package is missing.
    """

    files: tuple[str, ...]
    write: Callable[[Subnetwork, Path, dict[str, object]], None]
    reopen: Callable[[Subnetwork, Path], Callable[..., OutputsByKey]]
    usage: str
    check_installed: Callable[[], None] = lambda: None

    def usage_in(self, folder: str, subnetwork: Subnetwork) -> str:
        """Return a function that runs the files of a subnetwork in a folder."""
        name = input_name(subnetwork)
        return self.usage.replace("INPUT", name).replace("FOLDER", folder)


FORMATS = {
    "json": Format(
        (SUBNETWORK_FILE, WEIGHTS_FILE),
        _write_json,
        _reopen_json,
        'model = netstitch.load("FOLDER"); model(inputs)',
    ),
    "pt2": Format(
        (PT2_FILE,),
        _write_pt2,
        _reopen_pt2,
        f'model = torch.export.load("FOLDER/{PT2_FILE}").module(); model(inputs)  '
        "# holds a pickle: open it only where you trust who wrote it",
    ),
    "onnx": Format(
        (ONNX_FILE,),
        write_onnx,
        reopen_onnx,
        f'session = onnxruntime.InferenceSession("FOLDER/{ONNX_FILE}"); '
        'session.run(None, {"INPUT": inputs.numpy()})',
        check_onnx_installed,
    ),
}


def choose_formats(names: Sequence[str]) -> dict[str, Format]:
    """Return formats by name, in the order given; raise ExportError for what cannot be written."""
    known = ", ".join(FORMATS)
    if not isinstance(names, list | tuple) or not names:
        raise ExportError(f"formats is {names!r:.80}; expected a list of at least one of {known}")
    for name in names:
        if not isinstance(name, str) or name not in FORMATS:
            raise ExportError(f"format {name!r} is not known; choose from {known}")
        FORMATS[name].check_installed()
    return {name: FORMATS[name] for name in names}
