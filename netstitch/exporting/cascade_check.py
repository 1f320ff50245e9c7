"""The checks of a cascade's files: with none, some and all samples unsure.

A file rounds otherwise than the module, so a sample whose confidence lies close to a threshold may
get another stage's answer. Those samples are not compared, and counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from netstitch.networks.graph import Graph
from netstitch.networks.module import build_module
from netstitch.networks.staged import CONFIDENCE, StagedGraph, given

CLOSE = 1e-4
"""Confidences this close to a threshold are decided by rounding."""

SIZES = (1, 2, 5, 7)
"""The batch sizes that all thresholds are tried at."""

MANY = 64
"""The batch size that is tried with thresholds that split it."""

NONE_UNSURE, ALL_UNSURE = 0.0, 2.0
"""Thresholds that every confidence reaches, and none does."""


@dataclass(frozen=True)
class SampleDecisions:
    """The decisions of a cascade on a batch.

    Attributes:
        close: (n,) bool: which samples have a confidence close to a threshold that they meet.
        left: (n,) the index of the stage that answers each sample.
        thresholds: (stages - 1,) those that were compared with.
    """

    close: Tensor
    left: Tensor
    thresholds: Tensor


def decide(
    staged: StagedGraph,
    weights: Mapping[str, Tensor],
    inputs: Tensor,
    thresholds: Tensor | None = None,
) -> SampleDecisions:
    """Return the decisions of a cascade on inputs (n, ...).

    Each stage is run for the samples that reach it, one stage after the other. Without thresholds
    they are such that about half of these go on.
    """
    [start] = given(staged.stages[0])
    values, reached = {start: inputs}, torch.arange(len(inputs))
    close = torch.zeros(len(inputs), dtype=torch.bool)
    left = torch.full((len(inputs),), len(staged.stages) - 1)
    met = torch.full((len(staged.stages) - 1,), 0.5) if thresholds is None else thresholds.cpu()
    for index, stage in enumerate(staged.stages[:-1]):
        found = values | _run(stage, weights, values)
        confidence = found[dict(stage.outputs)[CONFIDENCE]]
        if thresholds is None:
            met[index] = middle(confidence)
        close[reached] |= (confidence - met[index]).abs() < CLOSE
        going = ~(confidence >= met[index])
        left[reached[~going]] = index
        reached = reached[going]
        if not len(reached):
            break
        values = {name: found[name][going] for name in given(staged.stages[index + 1])}
    return SampleDecisions(close, left, met)


def _run(
    stage: Graph, weights: Mapping[str, Tensor], values: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the outputs of a stage by node."""
    wanted = list(dict.fromkeys(name for _, name in stage.outputs))
    module = build_module(stage, weights, outputs=wanted)
    with torch.no_grad():
        made = module(*(values[name] for name in given(stage)))
    return dict(zip(wanted, made, strict=True))


def middle(confidence: Tensor) -> Tensor:
    """Return the middle of the widest gap in the middle third of confidences (n,).

    Where these are nearly alike, as those of random inputs may be, it is the widest of more.
    """
    ordered = confidence.sort().values
    part, gaps = ordered, ordered.diff()
    for outside in (len(ordered) // 3, len(ordered) // 8, 0):
        part = ordered[outside : len(ordered) - outside]
        gaps = part.diff()
        if len(gaps) and gaps.max() > 2.5 * CLOSE:
            break
    if not len(gaps):
        return ordered[0]
    widest = int(gaps.argmax())
    return part[widest : widest + 2].mean()


def varied(inputs: Tensor) -> Tensor:
    """Return random inputs (n, ...) of rising strength, which networks are differently sure of."""
    strength = torch.logspace(-1, 0, len(inputs)).view(-1, *[1] * (inputs.ndim - 1))
    return inputs.mean() + strength * (inputs - inputs.mean())
