"""Measures racing beside ending early where that is certain: samples saved, and the front.

    python benchmarks/racing.py --pair digits --parts 128 256 [--evaluations 250] [--seeds 10]
                                [--algorithm ga] [--first-networks 0] [--out DIR]

The supernet of `searches.py` is searched with the same seeds in two ways and more: evaluations end
early where that is certain, or race over the parts given (once more for others: `--parts 256
--parts 768 2048`). Searches are those of `searches.py` (populations of 32, steered over accuracy
0.8, 16 evaluations under way), but see all validation images. What networks are right on is kept in
DIR/searches-PAIR, and each evaluation goes through it in batches of 64 up to where it would have
ended: samples are counted, not time. Networks that are computed together share work, so less time
is saved than samples.

Shares are of all samples of all evaluations; "whole" counts networks that were evaluated on all
samples. Gains are hypervolume over accuracy 0.8 and up to 1.1 times the ensemble's multiply-adds,
minus that of the references, of what validation chose. Means over seeds; differences to the first
row with their standard errors.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from one_search import POPULATION, THRESHOLD, TOGETHER, UNDER_WAY, Place
from outcomes import FORM, Outcomes
from pairs import FLOOR, PAIRS, load_task
from searches import make_supernet

import netstitch as ns
from netstitch.analysis import hypervolume
from netstitch.evaluation import Evaluator
from netstitch.evaluation.early_stopping import EarlyStopState
from netstitch.evaluation.race import Race
from netstitch.evaluation.sample_order import nested_order
from netstitch.events import ignore
from netstitch.optimization import (
    ALGORITHMS,
    BatchEvaluation,
    Genotype,
    SerialExecutor,
    StoppedEarly,
)
from netstitch.optimization.executors.attempts import Thresholds
from netstitch.searching.supernet_search import parts_of
from netstitch.searching.supernet_search_settings import SupernetSearchSettings
from netstitch.searching.sweep import SupernetSearch, search_sizes
from netstitch.tasks import Classification, Outputs

BATCH = 64
CERTAIN = "certain"
Way = str | tuple[int, ...]
"""CERTAIN, or the parts of a race."""


class OfBits(Classification):
    """A task whose outputs are whether each sample is right."""

    def correct(self, outputs: Outputs, labels: torch.Tensor) -> torch.Tensor:
        assert isinstance(outputs, torch.Tensor)
        return outputs


class CountedEvaluation(BatchEvaluation):
    """Accuracy on validation images and multiply-adds; counts the samples that this would take."""

    def __init__(
        self,
        outcomes: Outcomes,
        certainties: Sequence[torch.Tensor],
        ends: tuple[int, ...],
        seed: int,
    ) -> None:
        task = outcomes.task
        self._outcomes = outcomes
        self._task = OfBits(validation=task.validation, classes=task.classes)
        self._order = nested_order(task.validation.labels, certainties, ends, seed)
        self._labels = task.validation.labels[self._order].split(BATCH)
        references = list(outcomes.supernet.references().values())
        self._race = Race(ends, self._right(references)) if ends else None
        self.samples = self.whole = 0

    def __call__(self, genotype: Genotype) -> tuple[float, ...]:
        """Return the outcome of one network, whole."""
        [found] = self.together([genotype])
        assert not isinstance(found, StoppedEarly)
        return found

    def together(
        self, genotypes: Sequence[Genotype], thresholds: Thresholds | None = None
    ) -> list[tuple[float, ...] | StoppedEarly]:
        """Return the outcomes of several networks, each evaluated until it ends."""
        right = self._right(genotypes)
        thresholds = thresholds or [None] * len(genotypes)
        return [self._one(*each) for each in zip(genotypes, right, thresholds, strict=True)]

    def _right(self, genotypes: Sequence[Genotype]) -> torch.Tensor:
        return torch.from_numpy(self._outcomes.right("validation", genotypes))[:, self._order]

    def _one(
        self, genotype: Genotype, right: torch.Tensor, threshold: float | None
    ) -> tuple[float, ...] | StoppedEarly:
        state = EarlyStopState(self._task, self._labels, threshold, self._race)
        for batch, outputs in enumerate(right.split(BATCH)):
            state.add(batch, outputs)
            self.samples += len(outputs)
            if state.ended:
                break
        found = (state.accuracy, float(self._outcomes.supernet.macs(genotype)))
        self.whole += not state.stopped_early
        return StoppedEarly(found) if state.stopped_early else found


@dataclass(frozen=True)
class Search:
    """A search's cost and result: the share of samples, networks done whole, and gains."""

    evaluated: float
    share: float
    whole: float
    validation: float
    test: float


def searched(
    outcomes: Outcomes,
    certainties: Sequence[torch.Tensor],
    way: Way,
    settings: SupernetSearchSettings,
    seed: int,
) -> Search:
    size = outcomes.size("validation")
    ends = parts_of(way, BATCH, size) if isinstance(way, tuple) else ()
    evaluation = CountedEvaluation(outcomes, certainties, ends, seed)
    problem = SupernetSearch(outcomes.supernet, settings, seed, True, FLOOR, bool(ends))
    executor = SerialExecutor(evaluation, UNDER_WAY, group=TOGETHER)
    result, _ = search_sizes(problem, executor, ordered=True, record=None, listener=ignore)
    front = [solution.genotype for solution in result.archive]
    gains = [gain(outcomes, part, front) for part in ("validation", "test")]
    share = evaluation.samples / (size * result.evaluated)
    return Search(result.evaluated, share, evaluation.whole, *gains)


def gain(outcomes: Outcomes, part: str, front: Sequence[Genotype]) -> float:
    """Return the hypervolume of front and references, minus that of the references alone."""
    references = list(outcomes.supernet.references().values())
    everything = [*references, *front]
    right = outcomes.right(part, everything).mean(axis=1)
    costs = np.array([outcomes.supernet.macs(one) for one in everything])
    own, count = max(costs[: len(references)]), len(references)
    both, alone = (
        hypervolume(right[:k], costs[:k], ensemble=own, accuracy_floor=FLOOR)
        for k in (len(costs), count)
    )
    return both - alone


def row(way: Way, found: Sequence[Search], certain: Sequence[Search]) -> str:
    name = way if isinstance(way, str) else f"racing {list(way)}"
    cells = [
        f"{np.mean([one.evaluated for one in found]):.0f}",
        f"{np.mean([one.share for one in found]):.2f}",
        f"{np.mean([one.whole for one in found]):.0f}",
    ]
    for part in ("validation", "test"):
        own = np.array([getattr(one, part) for one in found])
        other = np.array([getattr(one, part) for one in certain])
        cells.append(f"{own.mean():.4f}")
        error = (own - other).std(ddof=1) / len(own) ** 0.5 if len(own) > 1 else np.nan
        cells.append(f"{(own - other).mean():+.4f} ± {error:.4f}")
    return f"| {' | '.join([name, *cells])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Racing beside certain ends")
    parser.add_argument("--pair", choices=tuple(PAIRS), default="digits")
    parser.add_argument("--parts", type=int, nargs="+", action="append", required=True)
    parser.add_argument("--evaluations", type=int, default=250)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--algorithm", choices=tuple(ALGORITHMS), default="ga")
    parser.add_argument("--first-networks", type=float, default=0.0)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    place = Place(options.out / f"searches-{options.pair}")
    place.folder.mkdir(parents=True, exist_ok=True)
    if not place.supernet.exists():
        make_supernet(options.pair, place.supernet)
    supernet, task = ns.load(place.supernet), load_task(options.pair)
    assert isinstance(supernet, ns.Supernet)
    outcomes = Outcomes(supernet, task, place.store())
    references = list(supernet.references().values())
    evaluator = Evaluator(supernet, task, task.validation, FORM)
    certainties = [sure for (sure,) in evaluator.measured_together(references, task.margin)]
    settings = SupernetSearchSettings(
        algorithm=options.algorithm,
        evaluations=options.evaluations,
        population=POPULATION,
        threshold=THRESHOLD,
        first_networks=options.first_networks,
    )
    head = (
        "evaluations",
        "distinct",
        "share of samples",
        "whole",
        "validation",
        "difference",
        "test",
        "difference",
    )
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    ways: list[Way] = [CERTAIN, *map(tuple, options.parts)]
    certain: list[Search] = []
    for way in ways:
        found = [
            searched(outcomes, certainties, way, settings, seed)
            for seed in range(1, options.seeds + 1)
        ]
        certain = certain or found
        print(row(way, found, certain), flush=True)


if __name__ == "__main__":
    main()
