"""Training one network of a supernet on the task itself, after it was found.

As the paper's supplement does: both branches of an ensemble are trained, each for itself, on the
task's loss. Norms keep their statistics and dropout stays off, as in the network that was found.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

import torch
from torch import Tensor, nn

from netstitch.errors import DataError, FittingError
from netstitch.fitting.refinement.losses import against_labels
from netstitch.networks.graph import WEIGHT, Graph
from netstitch.networks.module import build_module
from netstitch.stitching.genotype import check_genotype
from netstitch.stitching.wiring import Genotype
from netstitch.supernet import AnyGenotype, Supernet
from netstitch.tasks import Samples, Task
from netstitch.tasks.outputs import select

Trained = Literal["stitches", "all"]
Progress = Callable[[int, int, str], None]
LEARNING_RATE, BATCH = 1e-4, 32


@dataclass(frozen=True)
class FineTuned:
    """What training came to.

    weights: new values of what was trained, by the keys of `Supernet.tensors`. losses: of each
    step, the mean over branches. interrupted: whether Ctrl-C ended it before its time.
    """

    weights: Mapping[str, Tensor]
    losses: tuple[float, ...]
    interrupted: bool


def finetune(
    supernet: Supernet,
    task: Task,
    genotype: AnyGenotype,
    *,
    trained: Trained = "stitches",
    epochs: int = 1,
    learning_rate: float = LEARNING_RATE,
    batch_size: int = BATCH,
    seed: int = 1,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> FineTuned:
    """Train a genotype's network on the task's training samples; the supernet stays as it is.

    trained: its active stitches, or "all" its parameters. epochs: passes over the samples, in a
    random order by `seed`. learning_rate: of Adam's first step; it falls to 0 along a cosine.
    batch_size: samples a step. progress: called after each step with steps done, steps in all, and
    a line of text.

    The loss is the cross-entropy against the labels, the sum over the branches of an ensemble.
    Ctrl-C ends training with what it came to so far.

    Raises DataError without training samples, FittingError for a network without stitches of which
    only these are to be trained, for settings that cannot be used, and where training diverges.
    """
    samples = task.training
    if samples is None:
        raise DataError("the task has no training samples; give some to train on")
    _check(epochs, learning_rate, batch_size)
    chosen = check_genotype(supernet.cardinalities, genotype)
    tensors = {key: tensor.detach().to(device) for key, tensor in supernet.tensors().items()}
    keys = _trained_keys(supernet, chosen, trained)
    with torch.inference_mode(False), torch.enable_grad():
        for key in keys:
            tensors[key] = nn.Parameter(tensors[key].clone())
        modules = [build_module(graph, tensors) for graph in _branches(supernet, chosen)]
        # A branch without a stitch of its own has nothing to train.
        branches = [module for module in modules if any(True for _ in module.parameters())]
        parameters = [tensors[key] for key in keys]
        optimizer = torch.optim.Adam(parameters, lr=learning_rate)
        steps = epochs * -(-len(samples) // batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
        losses: list[float] = []
        interrupted = False
        try:
            for indices in _orders(len(samples), batch_size, epochs, seed):
                optimizer.zero_grad()
                loss = _descend(branches, task, samples, indices, device)
                losses.append(loss)
                if not isfinite(loss):
                    raise FittingError(
                        f"training diverged in step {len(losses)} of {steps} at a learning rate "
                        f"of {learning_rate:g}: lower it"
                    )
                optimizer.step()
                schedule.step()
                if progress is not None:
                    progress(len(losses), steps, f"loss {loss:.4g}")
        except KeyboardInterrupt:
            interrupted = True
    weights = {key: tensors[key].detach().cpu() for key in keys}
    return FineTuned(weights, tuple(losses), interrupted)


def give(supernet: Supernet, weights: Mapping[str, Tensor]) -> None:
    """Put trained weights into a supernet, whose other networks that use them change too."""
    own = supernet.tensors()
    with torch.no_grad():
        for key, tensor in weights.items():
            own[key].copy_(tensor)


def _check(epochs: int, learning_rate: float, batch_size: int) -> None:
    if min(epochs, batch_size) < 1 or not (learning_rate > 0 and isfinite(learning_rate)):
        raise FittingError(
            f"{epochs} epochs of batches of {batch_size} at a learning rate of {learning_rate}: "
            "give 1 or more of each, and a rate over 0"
        )


def _trained_keys(supernet: Supernet, genotype: Genotype, trained: str) -> list[str]:
    """Keys of the tensors that are trained, in the order of the graph."""
    graph = supernet.pruned_graph(genotype)
    used = dict.fromkeys(node.path for node in graph.nodes if node.operation == WEIGHT)
    if trained == "stitches":
        stitches = supernet.stitch_weights()
        keys = [key for key in used if key in stitches]
        if not keys:
            raise FittingError(
                "the network has no stitches to train; train all of its weights, or another network"
            )
        return keys
    if trained != "all":
        raise FittingError(f"{trained!r} cannot be trained; give 'stitches' or 'all'")
    own = supernet.tensors()
    return [key for key in used if isinstance(own[key], nn.Parameter) and own[key].numel()]


def _branches(supernet: Supernet, genotype: Genotype) -> list[Graph]:
    """The network, or of an ensemble each of its networks by itself."""
    outputs = supernet.board.outputs
    alone = [outputs.index((one,)) for one in outputs[genotype[-1]] if (one,) in outputs]
    if len(alone) < len(outputs[genotype[-1]]):
        return [supernet.pruned_graph(genotype)]
    found = []
    for output in alone:
        branch = genotype.copy()
        branch[-1] = output
        found.append(supernet.pruned_graph(branch))
    return found


def _descend(
    branches: Sequence[nn.Module],
    task: Task,
    samples: Samples,
    indices: Tensor,
    device: torch.device | str,
) -> float:
    """Add the gradients of a step; its loss, the mean over branches."""
    inputs, labels = samples.inputs[indices].to(device), samples.labels[indices].to(device)
    total = 0.0
    for branch in branches:
        outputs: Any = branch(inputs)
        loss = against_labels({task.output: select(outputs, task.output)}, labels)
        torch.autograd.backward(loss)
        total += float(loss.detach())
    return total / len(branches)


def _orders(count: int, batch: int, epochs: int, seed: int) -> Sequence[Tensor]:
    """Indices of each step."""
    generator = torch.Generator().manual_seed(seed)
    return [
        part
        for _ in range(epochs)
        for part in torch.split(torch.randperm(count, generator=generator), batch)
    ]
