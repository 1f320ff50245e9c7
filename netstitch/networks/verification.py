"""A captured network is held against its model, at batch sizes that capture did not see."""

from typing import Any

import torch
from torch import Tensor, nn

from netstitch.errors import CaptureError

TOLERANCE = 1e-4
"""Largest difference of outputs, relative to the largest output, that counts as equal."""


def verify(title: str, model: nn.Module, network: nn.Module, example: Tensor) -> None:
    """Compare outputs for one sample more than the example has, and for that sample alone.

    Raises CaptureError, naming the output, where they differ, are not finite, or where a sample's
    output depends on the other samples of its batch.
    """
    probe = _probe(example)
    expected, found = _by_key(model(probe)), _by_key(network(probe))
    alone = _by_key(network(probe[-1:]))
    for key, value in found.items():
        where = title if key is None else f"{title}, output {key!r}"
        wanted = expected[key]
        if not torch.isfinite(wanted).all():
            raise CaptureError(
                f"{where}: the model's own output holds NaN or infinity; check its weights, and "
                "that the example looks like its data"
            )
        difference, scale = _difference(wanted, value)
        if not difference <= TOLERANCE * scale:
            raise CaptureError(
                f"{where}: the capture differs from the model by {difference:.2g} at batch size "
                f"{len(probe)} (largest output {scale:.2g}); the model may depend on the batch "
                "size or on chance in evaluation mode"
            )
        difference, scale = _difference(wanted[-1:], alone[key])
        if not difference <= TOLERANCE * scale:
            raise CaptureError(
                f"{where}: a sample's output changes by {difference:.2g} with the other samples of "
                f"its batch (largest output {scale:.2g}); expected a model that treats samples "
                "apart in evaluation mode"
            )


def _probe(example: Tensor) -> Tensor:
    """The example's samples in another order, and a further one."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(example[:1].shape, generator=generator).to(example.device)
    return torch.cat([example.flip(0), example[:1] * 0.5 + noise])


def _difference(expected: Tensor, found: Tensor) -> tuple[float, float]:
    """The largest difference, infinite where shapes differ, and the largest expected value."""
    if expected.shape != found.shape:
        return float("inf"), 1.0
    if not expected.numel():
        return 0.0, 1.0
    wide = expected.to(torch.float64)
    scale = max(wide.abs().max().item(), 1e-6)
    return (wide - found.to(torch.float64)).abs().max().item(), scale


def _by_key(output: Any) -> dict[str | None, Tensor]:
    return {None: output} if isinstance(output, Tensor) else dict(output)
