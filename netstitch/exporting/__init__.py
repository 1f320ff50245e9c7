"""Export of a subnetwork as a folder of files that run without the supernet.

Three formats: JSON graph beside safetensors (read back by `netstitch.load`), `.pt2` for PyTorch,
and ONNX for everything else. Each file is run and compared before it is handed over.
"""

from netstitch.exporting.export import FOLDED, RECALIBRATED, Exported, ExportedFile, export
from netstitch.exporting.export_check import Difference

__all__ = [
    "FOLDED",
    "RECALIBRATED",
    "Difference",
    "Exported",
    "ExportedFile",
    "export",
]
