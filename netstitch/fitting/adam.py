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
from torch import Tensor
from torch.nn.functional import mse_loss

from netstitch.errors import FittingError
from netstitch.fitting.feature_stream import (
    Batch,
    Features,
    Layer,
    ProgressCallback,
    check_finite,
    check_stitches,
    cut,
    image_bytes,
    read_features,
)
from netstitch.fitting.fit_report import FitReport, StitchFit
from netstitch.fitting.fit_settings import AdamSettings
from netstitch.fitting.stitch_layers import bias_of, held_out_errors, write_layers
from netstitch.fitting.training_samples import TrainingSamples
from netstitch.stitching.stitch import Stitch


def fit_adam(
    stitches: Sequence[Stitch],
    layers: Sequence[Layer],
    features: Features,
    batches: Iterable[Batch],
    settings: AdamSettings,
    progress: ProgressCallback | None = None,
) -> FitReport:
    """Train every layer to translate its features, from PyTorch's own initial weights.

    The batches are passed over until so many samples were seen as the settings say. Inputs that
    fit into the memory budget are shuffled anew in every pass; others are trained on in the order
    of the batches, and errors are measured on as many inputs as fit. As many bytes again
    may be features: a step whose features take more adds up its gradient in parts.

    Arguments are those of `fit_least_squares`; progress is told after every step. Weight decay is
    decoupled from the gradient (AdamW, as in the authors' code); 0 is plain Adam.

    Raises:
        FittingError: As there, or training diverges; the layers are then as they were.
    """
    begin = perf_counter()
    check_stitches(stitches, layers)
    rate, size, samples = settings.learning_rate, settings.batch_size, settings.samples
    steps = -(-samples // size)
    source = TrainingSamples(batches, settings.holdout, settings.memory_budget, settings.seed)
    # For every stitch there is what it fits and what it makes of its source.
    bytes_of_one = 2 * image_bytes(stitches)
    with torch.inference_mode(False), torch.enable_grad():
        trained = _new_layers(stitches, layers, settings.seed)
        parameters = [p for layer in trained for p in layer.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=settings.weight_decay)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        for step, values in enumerate(source.training_batches(size, samples), start=1):
            optimizer.zero_grad()
            loss = 0.0
            for part in cut(values, bytes_of_one, settings.memory_budget):
                share = len(part) / len(values)
                loss += _backward(stitches, trained, features, part, share, step)
            if not isfinite(loss):
                raise FittingError(
                    f"training diverged in step {step} of {steps} at a learning rate of "
                    f"{rate:g}: lower it, or fit by least squares"
                )
            optimizer.step()
            if settings.schedule == "cosine":
                cosine.step()
            if progress is not None:
                progress(step, steps, f"Adam, loss {loss:.4g}")
    measured = (
        part
        for values in source.measured_batches(size)
        for part in cut(values, bytes_of_one, settings.memory_budget)
    )
    errors = held_out_errors(stitches, trained, features, measured)
    write_layers(layers, [(layer.weight, bias_of(layer)) for layer in trained])
    return FitReport(
        method="adam",
        settings=settings.model_dump(),
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
    layers: Sequence[Layer],
    features: Features,
    values: Tensor,
    share: float,
    step: int,
) -> float:
    """Add the gradients of `share` times the stitches' summed mean squared errors; return these.

    A function of its own, so that features are let go before the next ones are read.
    """
    read = read_features(stitches, features, values)
    found = {point: _trainable(read.pop(point)) for point in list(read)}
    losses = [
        mse_loss(layer(found[stitch.source]), found[stitch.target])
        for stitch, layer in zip(stitches, layers, strict=True)
    ]
    loss = share * torch.stack(losses).sum()
    if not torch.isfinite(loss):
        check_finite(found, values, f"training batch {step}")
    torch.autograd.backward(loss)
    return loss.item()


def _new_layers(stitches: Sequence[Stitch], layers: Sequence[Layer], seed: int) -> list[Layer]:
    """Return layers to train in place of the given ones, on their devices."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return [
            stitch.layer().to(layer.weight.device)
            for stitch, layer in zip(stitches, layers, strict=True)
        ]


def _trainable(features: Tensor) -> Tensor:
    """Return features as a tensor that gradients may pass, which inference tensors are not."""
    features = features.detach()
    return (features.clone() if features.is_inference() else features).float()
