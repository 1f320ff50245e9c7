"""Exporting: a subnetwork leaves as a folder of files that run without the supernet.

Three formats: JSON graph beside safetensors (read back by `netstitch.load`), `.pt2` for PyTorch,
and ONNX for everything else. Each file is run and compared before it is handed over.
"""

from netstitch.exporting.export import FOLDED, RECALIBRATED, Exported, ExportedFile, export
from netstitch.exporting.export_check import Difference
from netstitch.exporting.formats import FORMATS, Format
from netstitch.exporting.subnetwork import Outputs, Subnetwork

__all__ = [
    "FOLDED",
    "FORMATS",
    "RECALIBRATED",
    "Difference",
    "Exported",
    "ExportedFile",
    "Format",
    "Outputs",
    "Subnetwork",
    "export",
]
