"""The samples that first stages are least sure of, on which second stages have to be good."""

from dataclasses import replace

import numpy as np
import torch
from scipy.stats import rankdata

from netstitch.cascades.answers import AnswerRule
from netstitch.cascades.candidates import cheapest_stages
from netstitch.cascades.evaluated import Scorer, score_genotypes
from netstitch.cascades.term_outputs import compute_terms
from netstitch.cascades.terms import terms_of
from netstitch.costs import Cost
from netstitch.evaluation import NumericsConfig
from netstitch.evaluation.measured_output import measured_shape
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task

UNSURE = 0.3
"""The share of samples that count as unsure, about as many as go on in a good cascade."""


def scorer_on_unsure(
    supernet: Supernet,
    rule: AnswerRule,
    scored: Task,
    cost: Cost,
    form: NumericsConfig,
    device: torch.device | str,
) -> Scorer:
    """Return a function that scores genotypes on the samples that cheap stages are unsure of."""

    def score(genotypes: np.ndarray) -> np.ndarray:
        unsure = unsure_samples(supernet, rule, rule.task.validation, cost, form, device)
        return score_genotypes(supernet, scored, unsure, genotypes, form, device)

    return score


def unsure_samples(
    supernet: Supernet,
    rule: AnswerRule,
    samples: Samples,
    cost: Cost,
    form: NumericsConfig,
    device: torch.device | str,
) -> Samples:
    """Return the share UNSURE of the samples that cheap stages are least sure of, in their order.

    Samples are ordered by the mean of their ranks in the stages' confidences. Where confidence is
    'agreement', which takes two stages, a single one uses its largest probability.
    """
    terms = terms_of(cheapest_stages(supernet, cost))
    out = torch.empty(len(terms), len(samples), *measured_shape(supernet, rule.task))
    outputs = compute_terms(supernet, rule.task, samples, terms, form, device, out)
    alone = replace(rule, kind="probability") if rule.kind == "agreement" else rule
    ranks = [rankdata(alone.sureness(each).double().numpy()) for each in outputs.values()]
    count = max(1, round(UNSURE * len(samples)))
    least = np.argsort(np.mean(ranks, axis=0), kind="stable")[:count]
    return samples.taken(torch.from_numpy(np.sort(least)))
