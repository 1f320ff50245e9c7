"""Verification: a captured network computes what its model does, at batch sizes new to it."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from netstitch.errors import CaptureError

TOLERANCE = 1e-4
"""Largest difference of outputs, relative to the largest output, that counts as equal."""


def verify(
    model: nn.Module,
    network: nn.Module,
    example: Tensor,
    *,
    squeezed: str | None = None,
    transposed: str | None = None,
) -> None:
    """Compare outputs for one sample more than the example has, and for that sample alone.

    Args:
        model: what was captured.
        network: what it became.
        example: the batch that it was captured with.
        squeezed: the user's line in which a single sample's batch dimension would be dropped.
        transposed: names a layer that takes the batch for something else, and what to do.

    Raises:
        CaptureError: naming the output, where they differ, are not finite, or where a sample's
            depends on the others of its batch.
    """
    loses = (
        f"a single sample loses the batch dimension{f' at {squeezed}' if squeezed else ''}; name "
        "the dimensions to drop, as squeeze((2, 3)) does, or use flatten(1)"
    )
    probe = _probe(example)
    expected, found = _by_key(model(probe)), _by_key(network(probe))
    try:
        alone = _by_key(network(probe[-1:]))
    except Exception as error:  # torch raises many kinds
        if squeezed is None:
            raise
        reason = str(error).strip().partition("\n")[0]
        raise CaptureError(f"it fails at batch size 1 ({reason}): {loses}") from error
    for key, value in found.items():
        where = "the output" if key is None else f"output {key!r}"
        wanted = expected[key]
        if not torch.isfinite(wanted).all():
            raise CaptureError(
                f"{where}: the model's own output holds NaN or infinity; check its weights, and "
                "that the example looks like its data"
            )
        if difference := _difference(wanted, value):
            raise CaptureError(
                f"{where}: the capture differs from the model {difference} at batch size "
                f"{len(probe)}; the model may depend on the batch size or on chance in evaluation "
                "mode"
            )
        if difference := _difference(wanted[-1:], alone[key]):
            dropped = squeezed or alone[key].dim() < wanted.dim()
            hint = loses if dropped else transposed
            raise CaptureError(
                f"{where}: the last sample's differs {difference} where it is alone; expected a "
                "model that treats samples apart in evaluation mode, whatever the other samples of "
                f"its batch are{f'; {hint}' if hint else ''}"
            )


def computes_other_lengths(model: nn.Module, network: nn.Module, example: Tensor) -> bool:
    """Return whether a network computes what its model does for sequences of another length.

    The example is (n, t, c); inputs of other ranks have no size of a sequence.
    """
    if example.dim() != 3 or example.shape[1] < 2:
        return False
    for other in (torch.cat([example, example.flip(1)], 1), example[:, :-1]):
        try:
            expected, found = _by_key(model(other)), _by_key(network(other))
        except Exception:  # user code and torch raise any kind
            return False
        if any(_difference(wanted, found[key]) for key, wanted in expected.items()):
            return False
    return True


def _probe(example: Tensor) -> Tensor:
    """Return the example's samples in another order, and a further one."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(example[:1].shape, generator=generator).to(example.device)
    return torch.cat([example.flip(0), example[:1] * 0.5 + noise])


def _difference(expected: Tensor, found: Tensor) -> str:
    """Return by how much tensors differ, in words; nothing where they are equal."""
    if expected.shape != found.shape:
        return f"in shape, {tuple(found.shape)} in place of {tuple(expected.shape)},"
    if not expected.numel():
        return ""
    wide = expected.to(torch.float64)
    scale = max(wide.abs().max().item(), 1e-6)
    difference = (wide - found.to(torch.float64)).abs().max().item()
    if difference <= TOLERANCE * scale:
        return ""
    return f"by {difference:.2g} (largest output {scale:.2g})"


def _by_key(output: Tensor | Mapping[str | None, Tensor]) -> dict[str | None, Tensor]:
    return {None: output} if isinstance(output, Tensor) else dict(output)
