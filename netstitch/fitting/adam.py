"""Fit all stitches together by gradient descent, as the paper does.

Section 3, "Training stitching layers", with the settings of sections 6 and 7: the mean squared
errors of all stitches are added up and descended together, the basis networks frozen, every stitch
reading original features, so that none of them affects another. It is the baseline that
`fit_least_squares` is measured against.
"""

from collections.abc import Iterable, Sequence
from math import isfinite
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from netstitch.errors import FittingError
from netstitch.fitting.feature_stream import (
    Batch,
    Features,
    Progress,
    check_finite,
    check_holdout,
    check_shapes,
    check_stitches,
    cut,
    image_bytes,
    places,
)
from netstitch.fitting.fit_report import FitReport, StitchFit
from netstitch.fitting.held_out import held_out_errors
from netstitch.fitting.stitch_layers import bias_of, write_layers
from netstitch.fitting.training_samples import TrainingSamples
from netstitch.stitching.stitch import Stitch


def fit_adam(
    stitches: Sequence[Stitch],
    layers: Sequence[nn.Linear | nn.Conv2d],
    features: Features,
    batches: Iterable[Batch],
    *,
    learning_rate: float = 1e-3,
    batch_size: int = 32,
    samples: int = 16_384,
    weight_decay: float = 0.0,
    seed: int = 0,
    memory_budget: int = 2_000_000_000,
    holdout: float = 0.125,
    progress: Progress | None = None,
) -> FitReport:
    """Train every layer to translate its features, from PyTorch's own initial weights.

    stitches, layers, features, batches, holdout: as for `fit_least_squares`.
    learning_rate: of the first step; it falls to 0 along a cosine. batch_size: inputs a step.
    samples: inputs trained on in all; the batches are passed over until so many were seen.
    weight_decay: decoupled from the gradient (AdamW, as in the authors' code); 0 is plain Adam.
    seed: of the initial weights and of the order of the inputs.
    memory_budget: bytes of inputs to hold. Inputs that fit are shuffled anew in every pass;
        others are trained on in the order of the batches, and errors are measured on the held-out
        inputs that fit. As many bytes again may be features: a step whose features take more adds
        up its gradient in parts.
    progress: called after every step with steps done, steps in all, and a line of text.

    Raises FittingError where there is nothing to fit on, features are not finite or of other
    shapes than the stitches, or training diverges; the layers are then as they were.
    """
    begin = perf_counter()
    check_stitches(stitches, layers)
    check_holdout(holdout)
    _check_settings(learning_rate, batch_size, samples, weight_decay)
    steps = -(-samples // batch_size)
    source = TrainingSamples(batches, holdout, memory_budget, seed)
    # Of every stitch there is what it fits and what it makes of its source.
    bytes_of_one = 2 * image_bytes(stitches)
    with torch.inference_mode(False), torch.enable_grad():
        trained = _new_layers(stitches, layers, seed)
        parameters = [p for layer in trained for p in layer.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        for step, values in enumerate(source.training_batches(batch_size, samples), start=1):
            optimizer.zero_grad()
            loss = 0.0
            for part in cut(values, bytes_of_one, memory_budget):
                share = len(part) / len(values)
                loss += _backward(stitches, trained, features, part, share, step)
            if not isfinite(loss):
                raise FittingError(
                    f"training diverged in step {step} of {steps} at a learning rate of "
                    f"{learning_rate:g}: lower it, or fit by least squares"
                )
            optimizer.step()
            schedule.step()
            if progress is not None:
                progress(step, steps, f"Adam, loss {loss:.4g}")
    held = (
        part
        for values in source.held_out_batches(batch_size)
        for part in cut(values, bytes_of_one, memory_budget)
    )
    errors = held_out_errors(stitches, trained, features, held)
    write_layers(layers, [(layer.weight, bias_of(layer)) for layer in trained])
    return FitReport(
        method="adam",
        settings={
            "learning_rate": learning_rate,
            "batch_size": batch_size,
            "samples": samples,
            "weight_decay": weight_decay,
            "seed": seed,
            "memory_budget": memory_budget,
            "holdout": holdout,
        },
        samples=samples,
        held_out=source.held_out,
        seconds=perf_counter() - begin,
        rows=tuple(
            StitchFit(stitch.match, stitch.source, stitch.target, error)
            for stitch, error in zip(stitches, errors, strict=True)
        ),
    )


def _backward(
    stitches: Sequence[Stitch],
    layers: Sequence[nn.Linear | nn.Conv2d],
    features: Features,
    values: Tensor,
    share: float,
    step: int,
) -> float:
    """Add up gradients of `share` times the stitches' mean squared errors; what these come to.

    A function of its own, so that features are let go before the next ones are read.
    """
    wanted = places(stitches)
    found = dict(zip(wanted, map(_trainable, features(values, wanted)), strict=True))
    check_shapes(found, stitches, len(values))
    losses = [
        mse_loss(layer(found[stitch.source]), found[stitch.target])
        for stitch, layer in zip(stitches, layers, strict=True)
    ]
    loss = share * torch.stack(losses).sum()
    if not torch.isfinite(loss):
        check_finite(found, values, f"training batch {step}")
    torch.autograd.backward(loss)
    return loss.item()


def _check_settings(
    learning_rate: float, batch_size: int, samples: int, weight_decay: float
) -> None:
    for name, value in (("batch_size", batch_size), ("samples", samples)):
        if value < 1:
            raise FittingError(f"{name} is {value}: expected 1 or more")
    if not learning_rate > 0:
        raise FittingError(f"learning_rate is {learning_rate}: expected a number over 0")
    if not weight_decay >= 0:
        raise FittingError(f"weight_decay is {weight_decay}: expected 0 or more")


def _new_layers(
    stitches: Sequence[Stitch], layers: Sequence[nn.Linear | nn.Conv2d], seed: int
) -> list[nn.Linear | nn.Conv2d]:
    """Layers to train in place of the given ones, on their devices."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return [
            stitch.layer().to(layer.weight.device)
            for stitch, layer in zip(stitches, layers, strict=True)
        ]


def _trainable(features: Tensor) -> Tensor:
    """The same values as a tensor that a gradient may pass; inference tensors are refused."""
    features = features.detach()
    return (features.clone() if features.is_inference() else features).float()
