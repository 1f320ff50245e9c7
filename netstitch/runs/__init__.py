"""Runs: prepare, search, find cascades, resume, fine-tune and export, from an experiment on.

What the command line does, from Python. A run tells what happens to a `Listener` of
`netstitch.events`, such as `listeners.RunLog`.
"""

from netstitch.runs.dry_run import try_out
from netstitch.runs.finetuned_point import tune_point
from netstitch.runs.finished import Finished
from netstitch.runs.protocol import carry_out_protocol
from netstitch.runs.recorded_cascades import find_run_cascades
from netstitch.runs.recorded_run import FinishedRun, export_point, export_recorded, open_run
from netstitch.runs.run import carry_out, resume

__all__ = [
    "Finished",
    "FinishedRun",
    "carry_out",
    "carry_out_protocol",
    "export_point",
    "export_recorded",
    "find_run_cascades",
    "open_run",
    "resume",
    "try_out",
    "tune_point",
]
