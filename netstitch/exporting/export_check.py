"""Checks that a file computes what the subnetwork does, since exporters are not always right."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from netstitch.errors import ExportError
from netstitch.exporting.cascade_check import (
    ALL_UNSURE,
    CLOSE,
    MANY,
    NONE_UNSURE,
    SIZES,
    decide,
    varied,
)
from netstitch.exporting.subnetwork import TRACE_BATCH, OutputsByKey, Subnetwork, random_inputs
from netstitch.networks.staged import THRESHOLD, StagedGraph
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
    """A batch of inputs (n, ...), and the subnetwork's outputs.

    Attributes:
        thresholds: Those of a cascade, where they are not its own.
        close: (n,) bool: samples of a cascade that rounding decides, which are not compared.
    """

    inputs: Tensor
    expected: OutputsByKey
    thresholds: Tensor | None = None
    close: Tensor | None = None


def probes(subnetwork: Subnetwork, example: Tensor | None = None) -> list[Probe]:
    """Return a batch of each of BATCH_SIZES, as of `random_inputs`, with the subnetwork's outputs.

    Of a cascade, batches of further sizes, with its own thresholds and with such that none, some
    and all samples are unsure.

    Raises:
        ExportError: Where the subnetwork itself cannot be run.
    """
    with threads(1):
        try:
            if isinstance(subnetwork.graph, StagedGraph):
                return _cascade_probes(subnetwork, subnetwork.graph, example)
            batches = [random_inputs(subnetwork.graph, size, example) for size in BATCH_SIZES]
            return [Probe(inputs, subnetwork(inputs)) for inputs in batches]
        except Exception as error:  # whatever torch says of a graph that was edited
            raise ExportError(
                f"the subnetwork cannot be run ({one_line(error)}), so nothing was written; where "
                "its networks were edited, put back a copy of the folder, or capture them again"
            ) from error


def _cascade_probes(
    subnetwork: Subnetwork, staged: StagedGraph, example: Tensor | None
) -> list[Probe]:
    many = varied(random_inputs(staged, MANY, example))
    some = decide(staged, subnetwork.weights, many).thresholds
    every = (None, torch.full_like(some, NONE_UNSURE), some, torch.full_like(some, ALL_UNSURE))
    batches = [(many[:: MANY // size][:size], every) for size in SIZES]
    found = []
    for inputs, choices in [*batches, (many, (None, some))]:
        for thresholds in choices:
            met = subnetwork.weights[THRESHOLD] if thresholds is None else thresholds
            close = decide(staged, subnetwork.weights, inputs, met).close
            found.append(Probe(inputs, subnetwork(inputs, thresholds), thresholds, close))
    return found


def check(file: str, run: Callable[..., OutputsByKey], probes: Sequence[Probe]) -> Difference:
    """Return the largest difference of a file's outputs, which `run` computes, on all probes.

    Raises ExportError for one over TOLERANCE, and for other keys or shapes of outputs.
    """
    with threads(1), torch.no_grad():
        found = [_compared(file, run, probe) for probe in probes]
    return max(found, key=lambda item: item.relative)


def check_in_words(probes: Sequence[Probe]) -> dict[str, object]:
    """Return the entries of export.json on the check."""
    said: dict[str, object] = {
        "batch_sizes": list(dict.fromkeys(len(probe.inputs) for probe in probes)),
        "relative_tolerance": TOLERANCE,
    }
    close = [probe.close for probe in probes if probe.close is not None]
    if close:
        said["samples"] = sum(map(len, close))
        said["close_to_a_threshold"] = {
            "within": CLOSE,
            "samples_not_compared": int(sum(each.sum() for each in close)),
        }
    return {"check": said}


def _compared(file: str, run: Callable[..., OutputsByKey], probe: Probe) -> Difference:
    """Return the largest difference on one probe; samples that rounding decides are left out."""
    if probe.thresholds is None:
        found = run(probe.inputs)
    else:
        found = run(probe.inputs, probe.thresholds)
    expected = probe.expected
    if probe.close is not None and probe.close.any():
        kept = ~probe.close
        expected = {key: value[kept] for key, value in expected.items()}
        found = {k: v[kept] if len(v) == len(kept) else v for k, v in found.items()}
    return difference(file, len(probe.inputs), expected, found)


def difference(file: str, batch: int, expected: OutputsByKey, found: OutputsByKey) -> Difference:
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
        if not value.numel():
            continue
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
