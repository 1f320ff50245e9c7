"""Checks that a file computes what the subnetwork does, since exporters are not always right."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from netstitch.errors import ExportError
from netstitch.exporting.subnetwork import TRACE_BATCH, Outputs, Subnetwork, random_inputs
from netstitch.text import one_line
from netstitch.threads import threads

TOLERANCE = 1e-4
"""The largest difference of outputs, relative to the largest output, that counts as equal."""

BATCH_SIZES = (TRACE_BATCH + 3, 1)
"""Sizes that the trace has not seen; 1 is the one that exporters specialise."""

ADVICE = "nothing was written: leave this format out, or try another version of its exporter"


@dataclass(frozen=True)
class Difference:
    """The largest difference of two outputs; relative to the largest value of its output."""

    absolute: float
    relative: float


@dataclass(frozen=True)
class Probe:
    """A batch of inputs (n, ...), and the subnetwork's outputs."""

    inputs: Tensor
    expected: Outputs


def probes(subnetwork: Subnetwork, example: Tensor | None = None) -> list[Probe]:
    """Return a batch of each of BATCH_SIZES, as of `random_inputs`, with the subnetwork's outputs.

    Raises:
        ExportError: Where the subnetwork itself cannot be run.
    """
    batches = [random_inputs(subnetwork.graph, size, example) for size in BATCH_SIZES]
    with threads(1):
        try:
            return [Probe(inputs, subnetwork(inputs)) for inputs in batches]
        except Exception as error:  # whatever torch says of a graph that was edited
            raise ExportError(
                f"the subnetwork cannot be run ({one_line(error)}), so nothing was written; where "
                "its networks were edited, put back a copy of the folder, or capture them again"
            ) from error


def check(file: str, run: Callable[[Tensor], Outputs], probes: Sequence[Probe]) -> Difference:
    """Return the largest difference of a file's outputs, which `run` computes, on all probes.

    Raises ExportError for one over TOLERANCE, and for other keys or shapes of outputs.
    """
    with threads(1), torch.no_grad():
        found = [difference(file, len(p.inputs), p.expected, run(p.inputs)) for p in probes]
    return max(found, key=lambda item: item.relative)


def difference(file: str, batch: int, expected: Outputs, found: Outputs) -> Difference:
    """Return the largest difference over all keys, each relative to its own largest output."""
    if set(expected) != set(found):
        raise ExportError(
            f"{file} has outputs {list(found)}, the subnetwork {list(expected)}; {ADVICE}"
        )
    largest = Difference(0.0, 0.0)
    for key, value in expected.items():
        where = "" if key is None else f" in output {key!r}"
        other = found[key]
        if value.shape != other.shape:
            shapes = f"shape {tuple(other.shape)}{where} at batch size {batch}"
            raise ExportError(
                f"{file} gives {shapes}, the subnetwork {tuple(value.shape)}; {ADVICE}"
            )
        if not torch.isfinite(value).all():
            raise ExportError(
                f"the subnetwork's own output holds NaN or infinity{where} on random inputs, so "
                f"{file} cannot be checked; give `example` inputs, or check the weights"
            )
        absolute = (value.double() - other.double()).abs().max().item()
        scale = value.double().abs().max().item()
        relative = absolute / max(scale, 1e-6)
        if not relative <= TOLERANCE:  # so that NaN fails too
            raise ExportError(
                f"{file} differs from the subnetwork by {absolute:.2g}{where} at batch size "
                f"{batch} (largest output {scale:.2g}); {ADVICE}"
            )
        if relative >= largest.relative:
            largest = Difference(absolute, relative)
    return largest
