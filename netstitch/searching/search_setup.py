"""The form in which a search evaluates, and the order in which it goes through samples."""

from contextlib import suppress

import torch
from torch import Tensor

from netstitch.errors import DataError
from netstitch.evaluation import Evaluator, ExecutionConfig, NumericsConfig, measure_numerics
from netstitch.evaluation.early_stopping import most_informative_order
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task


def measured_form(supernet: Supernet, task: Task, spread: ExecutionConfig) -> NumericsConfig:
    """Return the fastest form of evaluations here, as far as `spread` leaves it open."""
    return measure_numerics(
        supernet,
        task.validation.inputs,
        batches=(spread.batch,) if spread.batch else None,
        workers=spread.side_by_side,
        device=spread.here,
        fused=spread.fused,
        precision=spread.precision,
    )


def in_order(supernet: Supernet, task: Task, form: NumericsConfig, device: torch.device) -> Samples:
    """Return the validation samples as evaluations that end early go through them.

    They are the most informative first, by how the reference networks do on them.
    """
    samples = task.validation
    evaluator = Evaluator(supernet, task, samples, form, device=device)
    references = list(supernet.references().values())
    order: Tensor | None = None
    with suppress(DataError):  # the search says which network it is that fails
        order = most_informative_order(
            [sure for (sure,) in evaluator.measured_together(references, task.margin)]
        )
    return samples if order is None else samples.taken(order)
