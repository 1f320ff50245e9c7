"""Genotypes with their scores, from which stages of cascades are chosen."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.evaluation.evaluator import Objectives
from netstitch.stitching.genotype import check_genotype
from netstitch.supernet.decisions import AnyGenotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task

Scorer = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Returns the scores (n,) of genotypes (n, l); NaN where an evaluation fails."""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Genotypes and their scores, n of them.

    Attributes:
        genotypes: (n, l).
        scores: (n,), the search's objective; where an evaluation ended early, its upper bound;
            NaN where it failed.
    """

    genotypes: NDArray[np.integer[Any]]
    scores: NDArray[np.float64]


def evaluate(
    supernet: Supernet,
    task: Task,
    genotypes: Iterable[AnyGenotype],
    form: NumericsConfig,
    device: torch.device | str,
) -> Evaluated:
    """Measure genotypes on validation samples.

    Raises:
        StitchingError: One is no genotype of the supernet.
    """
    checked = [check_genotype(supernet.cardinalities, one) for one in genotypes]
    known = np.array(checked, np.int64).reshape(len(checked), len(supernet.cardinalities))
    return Evaluated(known, score_genotypes(supernet, task, task.validation, known, form, device))


def score_genotypes(
    supernet: Supernet,
    task: Task,
    samples: Samples,
    genotypes: NDArray[np.int64],
    form: NumericsConfig,
    device: torch.device | str,
) -> NDArray[np.float64]:
    """Return the scores (n,) of genotypes (n, l) on samples; NaN where an evaluation fails."""
    if not len(genotypes):
        return np.zeros(0)
    evaluator = Evaluator(supernet, task, samples, form, device=device)
    found = evaluator.together(list(genotypes))
    return np.array([one.accuracy if isinstance(one, Objectives) else np.nan for one in found])
