"""The formats that a subnetwork can be written in, by name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor

from netstitch.errors import ExportError
from netstitch.exporting import json_format, onnx_format, pt2_format
from netstitch.exporting.subnetwork import Outputs, Subnetwork


@dataclass(frozen=True)
class Format:
    """How one format is written and run.

    files: names of the files it writes; the first one stands for all in messages.
    write: writes them into an existing folder; the card is plain JSON data about the subnetwork.
    reopen: reads them back, and gives a function that computes a batch.
    usage: how to run it, one line of Python; FOLDER and INPUT stand for the folder and the input.
    installed: raises ExportError when a package is missing.
    """

    files: tuple[str, ...]
    write: Callable[[Subnetwork, Path, dict[str, Any]], None]
    reopen: Callable[[Subnetwork, Path], Callable[[Tensor], Outputs]]
    usage: str
    installed: Callable[[], None] = lambda: None


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "json": Format(json_format.FILES, json_format.write, json_format.reopen, json_format.USAGE),
        "pt2": Format(pt2_format.FILES, pt2_format.write, pt2_format.reopen, pt2_format.USAGE),
        "onnx": Format(
            onnx_format.FILES,
            onnx_format.write,
            onnx_format.reopen,
            onnx_format.USAGE,
            onnx_format.check_installed,
        ),
    }
)


def choose_formats(names: Sequence[str]) -> dict[str, Format]:
    """Formats by name, in the order given, without repeats.

    Raises ExportError for a name that is not known, for none, and for a format whose packages are
    not installed.
    """
    known = ", ".join(FORMATS)
    if not isinstance(names, list | tuple) or not names:
        raise ExportError(f"formats is {names!r:.80}; expected a list of at least one of {known}")
    for name in names:
        if not isinstance(name, str) or name not in FORMATS:
            raise ExportError(f"format {name!r} is not known; choose from {known}")
        FORMATS[name].installed()
    return {name: FORMATS[name] for name in names}
