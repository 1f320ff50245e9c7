"""Any PyTorch module becomes a Network: exported, made functional, checked against the model."""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from netstitch.errors import CaptureError
from netstitch.networks.failure import explain
from netstitch.networks.network import Network
from netstitch.networks.translation import translate

TOLERANCE = 1e-4
"""Largest difference of outputs, relative to the largest output, that counts as equal."""


def capture(model: nn.Module, example: Tensor, *, name: str | None = None) -> Network:
    """Capture a model as a Network that computes the same.

    model: any module that takes one float tensor and returns a tensor or a dictionary of tensors.
        It is neither changed nor kept; evaluation behaviour and float32 are captured.
    example: an input batch (n, ...); only its sizes behind dimension 0 are fixed by it.
    name: what reports call the network; by default the model's class.

    Raises CaptureError where the model cannot be exported with a free batch size (naming the
    operation and the source line), uses an operation that is not listed, or where the capture's
    outputs differ from the model's at a batch size that was not used in capture.
    """
    title = name or type(model).__name__
    if not isinstance(model, nn.Module):
        raise CaptureError(
            f"capture takes a torch.nn.Module, got {type(model).__name__}: build the model first"
        )
    _check_example(title, example)
    # A copy, since tracing one instance twice fails for some models; sizes 0 and 1 are special.
    frozen = copy.deepcopy(model).eval().float().requires_grad_(False)
    example = example.detach().to(torch.float32)
    if len(example) == 1:
        example = torch.cat([example, example])
    program = _export(title, frozen, example)
    graph, weights = translate(title, program)
    network = Network(title, graph, weights)
    _verify(title, frozen, network, example)
    return network


def _check_example(title: str, example: Tensor) -> None:
    if not isinstance(example, Tensor):
        raise CaptureError(
            f"{title}: the example is a {type(example).__name__}; "
            "expected one tensor whose dimension 0 is the batch"
        )
    if not example.is_floating_point():
        raise CaptureError(
            f"{title}: the example is {example.dtype}; expected floating-point inputs"
        )
    if example.ndim < 2 or len(example) == 0:
        raise CaptureError(
            f"{title}: the example has shape {tuple(example.shape)}; "
            "expected at least one sample and one further dimension"
        )
    if not torch.isfinite(example).all():
        raise CaptureError(f"{title}: the example holds NaN or infinity; give a finite one")


def _export(title: str, model: nn.Module, example: Tensor) -> torch.export.ExportedProgram:
    batch = torch.export.Dim("batch")
    try:
        with _quiet(), torch.no_grad():
            program = torch.export.export(model, (example,), dynamic_shapes=({0: batch},))
            return program.run_decompositions({})
    except Exception as error:  # torch.export raises many kinds, user code any
        raise CaptureError(explain(title, error)) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep export's advice to model authors from a reader who only uses the model."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _verify(title: str, model: nn.Module, network: Network, example: Tensor) -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(example[:1].shape, generator=generator).to(example.device)
    probe = torch.cat([example.flip(0), example[:1] * 0.5 + noise])
    with torch.no_grad():
        expected, found = _by_key(model(probe)), _by_key(network(probe))
    for key, value in expected.items():
        if key not in found:  # an output that is no tensor; capture keeps tensors only
            continue
        where = title if key is None else f"{title}, output {key!r}"
        if not torch.isfinite(value).all():
            raise CaptureError(
                f"{where}: the model's own output holds NaN or infinity; check its weights"
            )
        difference = (value - found[key]).abs().max().item()
        scale = max(value.abs().max().item(), 1e-6)
        if difference > TOLERANCE * scale:
            raise CaptureError(
                f"{where}: the capture differs from the model by {difference:.2g} at batch size "
                f"{len(probe)} (largest output {scale:.2g}); the model may depend on the batch "
                "size or on chance in evaluation mode"
            )


def _by_key(output: Any) -> dict[str | None, Tensor]:
    if isinstance(output, Tensor):
        return {None: output}
    return {key: value for key, value in output.items() if isinstance(value, Tensor)}
