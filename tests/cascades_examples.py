"""Random candidates of cascades, and the slow, obvious way to run a cascade of them."""

from collections.abc import Sequence

import numpy as np
import torch

import netstitch as ns
from netstitch.cascades.answers import AnswerRule
from netstitch.cascades.drafts import Drafts
from netstitch.cascades.stage_costs import SummedCosts
from netstitch.cascades.stage_table import Answers, StageTable, stage_table
from netstitch.cascades.terms import Stage
from netstitch.stitching.cascade import Confidence
from netstitch.stitching.cascade_terms import Term
from netstitch.stitching.subgraph import Averaging

CLASSES = 4


def random_task(samples: int, seed: int, classes: int) -> ns.Classification:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (samples,), generator=generator)
    return ns.Classification(validation=ns.Samples(torch.rand(samples, 1), labels), classes=classes)


def random_table(
    candidates: int = 5,
    samples: int = 40,
    seed: int = 0,
    kind: Confidence = "probability",
    references: Sequence[int] = (),
    classes: int = CLASSES,
) -> StageTable:
    """Candidates of one or two terms of two networks, the later ones better and dearer.

    Some outputs are rounded, so that confidences tie. Labels choose, unless there are references.
    """
    task = random_task(samples, seed, classes)
    labels = task.validation.labels
    generator = torch.Generator().manual_seed(seed)
    outputs, stages, parts = {}, [], []
    shared = Term((99,), 1)
    outputs[shared] = torch.randn(samples, classes, generator=generator)
    for index in range(candidates):
        own = Term((index,), index % 2)
        values = torch.randn(samples, classes, generator=generator)
        values[torch.arange(samples), labels] += index / candidates * 3
        outputs[own] = values.round() if index % 3 == 0 else values
        stages.append(Stage((index,), (own, shared) if index % 2 == 0 else (own,)))
        parts.append(
            {part: 1.0 + part for part in range(index + 1)} | {("own", index): 2.0 + index}
        )
    rule = AnswerRule(task, kind, Averaging())
    answers = Answers(stages, outputs, labels, rule, task, references)
    return stage_table(stages, answers, SummedCosts(parts))


def walked(
    table: StageTable, path: Sequence[int], thresholds: Sequence[float], mean: Sequence[bool] = ()
) -> tuple[float, float]:
    """The mean cost and score of a cascade, one sample after the other."""
    means = [*mean, *[False] * len(path)]
    answers = [table.answer(tuple(path[: k + 1]), means[k]) for k in range(len(path))]
    costs = table.costs.along(path)
    cost = score = 0.0
    for sample in range(len(table.rows)):
        for place, answered in enumerate(answers):
            assert answered is not None
            cost += costs[place]
            if place == len(path) - 1 or answered[0][sample] >= thresholds[place]:
                score += answered[1][sample]
                break
    return cost / len(table.rows), score / len(table.rows)


def check(table: StageTable, drafts: Drafts) -> None:
    """Hold what drafts come to against a walk of theirs."""
    assert len(drafts)
    for index in range(len(drafts)):
        path = drafts.path(index)
        limits = drafts.thresholds[index, : len(path) - 1].tolist()
        means = drafts.mean[index, : len(path)].tolist()
        cost, score = walked(table, path, limits, means)
        np.testing.assert_allclose([drafts.cost[index], drafts.score[index]], [cost, score])
