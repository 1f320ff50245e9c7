"""The decisions of a cascade that is trained: thresholds, and the samples that go on.

Training changes confidences, so thresholds are chosen anew: the same share of validation samples
goes on, and the mean cost stays what it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod

import numpy as np
import torch
from torch import Tensor

from netstitch.cascades.answers import AnswerRule
from netstitch.cascades.running import answers_of, run_cascades, run_on_outputs, stages_of
from netstitch.cascades.term_outputs import compute_terms, held
from netstitch.cascades.terms import Stage, make_stage, terms_of
from netstitch.cascades.thresholds import thresholds_of
from netstitch.errors import FittingError
from netstitch.evaluation import NumericsConfig
from netstitch.evaluation.measured_output import measured_shape
from netstitch.files.settings import MEMORY
from netstitch.fitting.refinement.behaviour_losses import divergence
from netstitch.stitching.cascade import Cascade, CascadeStage, Confidence
from netstitch.stitching.cascade_terms import Term, temperatures_of
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples
from netstitch.threads import threads
from netstitch.tuning.teachers import Teacher

FORM = NumericsConfig(channels_last=False, batch=64, workers=1)
"""The form in which networks are run for decisions, the same on any machine."""
BLOCK = 256_000_000
"""Bytes of inputs and outputs that are worked on together."""


def check_decisions(supernet: Supernet, cascade: Cascade) -> None:
    """Raise FittingError where a stage decides by agreement and no output is before it."""
    if cascade.confidence != "agreement":
        return
    stages = stages_of(supernet, cascade)
    for number in range(1, len(stages)):
        if len(terms_of(stages[:number])) < 2:
            raise FittingError(
                f"stage {number} of the cascade decides by 'agreement', and has no other output to "
                "agree with: no threshold can be chosen; take a cascade of another confidence"
            )


@threads(1)  # so that what is decided does not depend on the cores there are
def continuation_shares(
    supernet: Supernet, rule: AnswerRule, cascade: Cascade, device: torch.device | str
) -> tuple[float, ...]:
    """Return, for each stage but the last, the share of the samples reaching it that goes on."""
    samples = rule.task.validation
    [found] = run_cascades(supernet, rule, samples, [cascade], FORM, device, MEMORY)
    places = range(len(cascade.stages) - 1)
    reached = [int((found.left >= place).sum()) for place in (*places, len(places))]
    return tuple(reached[place + 1] / max(1, reached[place]) for place in places)


@threads(1)  # so that what is decided does not depend on the cores there are
def with_new_threshold(
    supernet: Supernet,
    rule: AnswerRule,
    done: Sequence[CascadeStage],
    stage: CascadeStage,
    share: float | None,
    device: torch.device | str,
) -> CascadeStage:
    """Return a stage with new temperatures, where it has some, and a new threshold.

    Args:
        supernet: The supernet, trained.
        rule: Turns terms into answers.
        done: The stages before it, with their new thresholds.
        stage: The stage.
        share: The share of the validation samples reaching it that goes on; None for the last
            stage.
        device: Where networks run.

    Returns:
        The stage with its new values; its threshold stays where fewer than two samples reach it.

    Raises:
        FittingError: All samples have one confidence.
    """
    samples = rule.task.validation
    stages = [make_stage(supernet, one.subnetwork) for one in (*done, stage)]
    terms, shape = terms_of(stages), measured_shape(supernet, rule.task)
    fits = len(terms) * len(samples) * prod(shape) * 4 <= MEMORY
    with held(len(terms), (len(samples), *shape), fits) as out:
        outputs = compute_terms(supernet, rule.task, samples, terms, FORM, device, out)
        known = {
            term: temperature
            for one, made in zip(done, stages, strict=False)
            for term, temperature in zip(made.terms, temperatures_of(one, made.terms), strict=True)
        }
        if stage.temperatures:
            for term in stages[-1].terms:
                if term not in known:
                    known[term] = rule.temperature(outputs[term], samples.labels)
            own = tuple(known[term] for term in stages[-1].terms)
            stage = replace(stage, temperatures=own)
        if share is None:
            return replace(stage, threshold=None)
        parts = [
            _reaching((*done, stage), stages, {term: outputs[term][rows] for term in terms}, rule)
            for rows in _blocks(samples, len(terms), shape)
        ]
    reaching, sure = (torch.cat(each) for each in zip(*parts, strict=True))
    if int(reaching.sum()) < 2:
        return stage
    number, kind = len(stages), rule.kind
    return replace(stage, threshold=_threshold(sure[reaching], share, number, kind))


@threads(1)  # so that what is decided does not depend on the cores there are
def continues(
    supernet: Supernet,
    rule: AnswerRule,
    done: Sequence[CascadeStage],
    samples: Samples,
    device: torch.device | str,
) -> Tensor:
    """Return (n,) bool: true for the samples that go on from the last of some stages."""
    stages = [make_stage(supernet, one.subnetwork) for one in done]
    found = []
    for _, outputs in _outputs(supernet, rule, stages, samples, device):
        reaching, sure = _reaching(done, stages, outputs, rule)
        found.append(reaching & ~(sure >= (done[-1].threshold or 0.0)))
    return torch.cat(found)


@threads(1)  # so that what is decided does not depend on the cores there are
def distance(
    supernet: Supernet,
    rule: AnswerRule,
    cascade: Cascade,
    teacher: Teacher,
    samples: Samples,
    device: torch.device | str,
) -> float:
    """Return the mean divergence of a cascade's answers from its teacher's, in nats.

    Temperatures count for the decisions alone: answers are compared without, as the teacher's
    outputs have none.
    """
    stages = stages_of(supernet, cascade)
    plain = [replace(stage, temperatures=()) for stage in cascade.stages]
    total = 0.0
    for block, outputs in _outputs(supernet, rule, stages, samples, device):
        _, left = run_on_outputs(cascade, stages, outputs, rule)
        answers = torch.stack([one for one, _ in answers_of(plain, stages, outputs, rule)])
        answer = answers[left, torch.arange(len(left))]
        parts = [teacher(part.to(device)).cpu() for part in block.batches(FORM.batch)]
        total += float(divergence(answer, torch.cat(parts))) * len(block)
    return total / len(samples)


def _reaching(
    given: Sequence[CascadeStage],
    stages: Sequence[Stage],
    outputs: Mapping[Term, Tensor],
    rule: AnswerRule,
) -> tuple[Tensor, Tensor]:
    """Return (n,) bool, true for samples that reach the last of some stages, and confidences."""
    going, sure = torch.tensor(True), torch.tensor(0.0)
    for place, (answer, pair) in enumerate(answers_of(given, stages, outputs, rule)):
        if place:
            going = going & ~(sure >= (given[place - 1].threshold or 0.0))
        sure = rule.sureness(answer, pair)
    return going.expand(len(sure)), sure


def _threshold(sure: Tensor, share: float, number: int, kind: Confidence) -> float:
    """Return the threshold that lets about this share of samples go on."""
    count = len(sure)
    every = (np.arange(count) / count).tolist()  # ties leave some without a threshold
    found, leaving = thresholds_of(sure.float().numpy(), every)
    if not len(found):
        raise FittingError(
            f"stage {number} of the cascade is equally sure of all {count} validation samples "
            f"that reach it (by {kind!r}), and no threshold parts them; take another cascade"
        )
    return float(found[np.abs(leaving - count * (1 - share)).argmin()])


def _outputs(
    supernet: Supernet,
    rule: AnswerRule,
    stages: Sequence[Stage],
    samples: Samples,
    device: torch.device | str,
) -> Iterator[tuple[Samples, Mapping[Term, Tensor]]]:
    """Yield blocks of samples with the outputs of all terms of stages for them."""
    terms, shape = terms_of(stages), measured_shape(supernet, rule.task)
    for rows in _blocks(samples, len(terms), shape):
        block = samples.part(rows)
        out = torch.empty(len(terms), len(block), *shape)
        yield block, compute_terms(supernet, rule.task, block, terms, FORM, device, out)


def _blocks(samples: Samples, terms: int, shape: Sequence[int]) -> Iterator[slice]:
    """Yield slices of samples in whole batches; inputs and outputs take about BLOCK bytes."""
    bytes_of_one = 4 * (terms * prod(shape) + prod(samples.shape))
    size = max(1, BLOCK // bytes_of_one // FORM.batch) * FORM.batch
    for start in range(0, len(samples), size):
        yield slice(start, start + size)
