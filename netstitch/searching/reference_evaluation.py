"""Evaluates the references, basis networks and ensemble, apart from a search.

They then cost nothing of its budget, and are solutions only where the search finds them itself.
"""

from collections.abc import Mapping

import numpy as np

from netstitch.errors import SearchError
from netstitch.optimization import Completed, Evaluation, Executor, Problem
from netstitch.optimization.executors.executor import checked
from netstitch.stitching.reachability import Genotype


def evaluate_references(
    references: Mapping[str, Genotype], problem: Problem, executor: Executor
) -> dict[str, tuple[float, ...]]:
    """Return the objectives of references by name; raise SearchError for one that fails."""
    names, submitted = list(references), 0
    found: dict[str, tuple[float, ...]] = {}
    while len(found) < len(names):
        while submitted < len(names) and submitted - len(found) < executor.capacity:
            genotype = references[names[submitted]]
            genotype.setflags(write=False)
            executor.submit(submitted, genotype)
            submitted += 1
        for one in executor.wait():
            name, completed = names[one.ticket], checked(one, problem.objectives)
            if completed.objectives is None:
                raise _no_reference(name, completed)
            found[name] = completed.objectives
    return {name: found[name] for name in names}


def check_no_reference(references: Mapping[str, Genotype], failed: Evaluation) -> None:
    """Raise SearchError where a reference failed, since nothing could be compared with it."""
    for name, genotype in references.items():
        if np.array_equal(genotype, failed.genotype):
            raise _no_reference(name, failed)


def _no_reference(name: str, failed: Completed | Evaluation) -> SearchError:
    return SearchError(f"{name} cannot be evaluated on the validation samples: {failed.failure}")
