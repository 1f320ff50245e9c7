"""`.pt2`: PyTorch's own exported program, for programs that have PyTorch but not netstitch."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from netstitch.exporting.subnetwork import Outputs, Subnetwork, by_key
from netstitch.files.folders import write_bytes
from netstitch.threads import quiet

FILE = "model.pt2"
FILES = (FILE,)
USAGE = (
    f'model = torch.export.load("FOLDER/{FILE}").module(); model(inputs)  '
    "# holds a pickle: open it only where you trust who wrote it"
)


def write(subnetwork: Subnetwork, folder: Path, card: dict[str, Any]) -> None:
    # Through memory, since a full disk met inside of torch's own writer is no OSError.
    content = io.BytesIO()
    with quiet():
        torch.export.save(subnetwork.program, content)
    write_bytes(folder / FILE, content.getvalue())


def reopen(subnetwork: Subnetwork, folder: Path) -> Callable[[Tensor], Outputs]:
    # The file holds a pickle. It is opened here alone, right after `write` made it, never from a
    # folder that somebody else may have written.
    with quiet():
        module = torch.export.load(folder / FILE).module()  # its eval() refuses; frozen anyway
    return lambda inputs: by_key(module(inputs))
