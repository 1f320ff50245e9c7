"""Runs cascades on samples, a block at a time: outputs of networks, answers, decisions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netstitch.cascades.answers import AnswerRule
from netstitch.cascades.stage_table import silent
from netstitch.cascades.term_outputs import compute_terms
from netstitch.cascades.terms import Stage, averaged, make_stage, terms_of
from netstitch.errors import StitchingError
from netstitch.evaluation import NumericsConfig
from netstitch.evaluation.measured_output import measured_shape
from netstitch.evaluation.metrics import Metrics, measures_of, metrics_of
from netstitch.events import ProgressCallback
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.stitching.cascade_terms import Term
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples
from netstitch.tasks.task_outputs import check_finite

CascadeOrStage = Cascade | CascadeStage
"""A cascade, or a subnetwork that answers all samples alone."""


@dataclass(frozen=True, eq=False)
class RunOutcome:
    """The outcome of a cascade on n samples.

    Attributes:
        metrics: The measures of its answers.
        left: (n,), the stage at which each sample left.
    """

    metrics: Metrics
    left: NDArray[np.int64]

    def shares(self, stages: int) -> tuple[float, ...]:
        """Return the share of samples that each stage answers."""
        counts = np.bincount(self.left, minlength=stages)
        return tuple((counts / len(self.left)).tolist())


def stages_of(supernet: Supernet, one: CascadeOrStage) -> list[Stage]:
    """Return the stages of a cascade, or the one of a subnetwork alone.

    Raises:
        StitchingError: A stage is no subnetwork of the supernet, or its temperatures are not one
            for each of its outputs.
    """
    found = []
    given = one.stages if isinstance(one, Cascade) else (one,)
    for number, stage in enumerate(given, start=1):
        try:
            made = make_stage(supernet, stage.subnetwork)
            supernet.pruned_graph(made.subnetwork)
        except StitchingError as error:
            raise StitchingError(
                f"stage {number} of a cascade does not fit the supernet: {error}"
            ) from error
        if len(stage.temperatures) not in (0, len(made.terms)):
            raise StitchingError(
                f"stage {number} of a cascade has {len(stage.temperatures)} temperatures; expected "
                f"{len(made.terms)}, one for each of its outputs, or none"
            )
        found.append(made)
    return found


def answers_of(
    given: Sequence[CascadeStage],
    stages: Sequence[Stage],
    outputs: Mapping[Term, Tensor],
    rule: AnswerRule,
) -> Iterator[tuple[Tensor, list[Tensor]]]:
    """Yield each stage's answer (n, classes, ...) to all samples, and the outputs that may agree.

    These are the stage's last output and, before it, the one computed before, if there is one.
    """
    scaled: dict[Term, Tensor] = {}
    for place, (made, own) in enumerate(zip(stages, given, strict=True)):
        temperatures = own.temperatures or (1.0,) * len(made.terms)
        for term, temperature in zip(made.terms, temperatures, strict=True):
            scaled.setdefault(term, outputs[term] / temperature)
        terms = (own.answer == "mean" and averaged(stages[: place + 1])) or made.terms
        others = [term for term in terms_of(stages[: place + 1]) if term != made.terms[-1]]
        pair = [scaled[term] for term in (*others, made.terms[-1])[-2:]]
        yield rule.answer({term: scaled[term] for term in terms}), pair


def run_on_outputs(
    one: CascadeOrStage,
    stages: Sequence[Stage],
    outputs: Mapping[Term, Tensor],
    rule: AnswerRule,
) -> tuple[Tensor, Tensor]:
    """Return (n, classes, ...) answers, and (n,) the stage at which each sample left."""
    given = one.stages if isinstance(one, Cascade) else (one,)
    answer = left = going = None
    for place, (found, pair) in enumerate(answers_of(given, stages, outputs, rule)):
        if answer is None or left is None or going is None:
            answer, left = found.clone(), torch.zeros(len(found), dtype=torch.int64)
            going = torch.ones(len(found), dtype=torch.bool)
        answer[going], left[going] = found[going], place
        threshold = given[place].threshold
        if threshold is not None:
            going = going & ~(rule.sureness(found, pair) >= threshold)
    assert answer is not None
    assert left is not None
    return answer, left


def run_cascades(
    supernet: Supernet,
    rule: AnswerRule,
    samples: Samples,
    cascades: Sequence[CascadeOrStage],
    form: NumericsConfig,
    device: torch.device | str,
    memory: int,
    progress: ProgressCallback = silent,
    *,
    known: Mapping[Term, Tensor] = MappingProxyType({}),
) -> list[RunOutcome]:
    """Measure cascades, and subnetworks alone, on samples.

    Outputs that are not in `known`, which has those of all samples, are computed; about `memory`
    bytes of them are held at a time.

    Raises:
        DataError: Outputs are not finite.
        StitchingError: A stage does not fit the supernet.
    """
    every = [stages_of(supernet, one) for one in cascades]
    terms = terms_of([stage for stages in every for stage in stages])
    missing = [term for term in terms if term not in known]
    shape = measured_shape(supernet, rule.task)
    fits = memory // max(1, len(terms) * prod(shape) * 4)
    size = max(1, fits // form.batch) * form.batch  # whole batches, as without blocks
    measures = measures_of(rule.task, logits=not rule.probabilities)
    values: list[list[list[Tensor]]] = [[] for _ in cascades]
    left: list[list[Tensor]] = [[] for _ in cascades]
    for start in range(0, len(samples), size):
        rows = slice(start, start + size)
        block = samples.part(rows)
        progress(start, len(samples), f"cascades on {samples.name} samples")
        outputs = {term: known[term][rows] for term in terms if term in known}
        if missing:
            out = torch.empty(len(missing), len(block), *shape)
            outputs |= compute_terms(supernet, rule.task, block, missing, form, device, out)
        for index, (one, stages) in enumerate(zip(cascades, every, strict=True)):
            answer, stage = run_on_outputs(one, stages, outputs, rule)
            check_finite(answer)
            shown = rule.shown(answer)
            values[index].append([measure(shown, block.labels) for measure in measures.values()])
            left[index].append(stage)
    progress(len(samples), len(samples), f"cascades on {samples.name} samples")
    outcomes = []
    for own, stage_parts in zip(values, left, strict=True):
        whole = [torch.cat(parts) for parts in zip(*own, strict=True)]
        metrics = metrics_of(rule.task, dict(zip(measures, whole, strict=True)))
        outcomes.append(RunOutcome(metrics, torch.cat(stage_parts).numpy()))
    return outcomes
