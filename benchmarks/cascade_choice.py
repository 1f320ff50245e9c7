"""Compares rules of choosing cascades by images that they did not choose by.

    python benchmarks/cascade_choice.py [--pair NAME ...] [--resamples 100] [--stages 2]
                                        [--stitched 40]

For each pair of `pairs.py`, outputs of the references, all exits, and some networks of one fitted
stitch are computed once. Each resample draws half of the validation images, 2,048 at most, and each
rule chooses cascades by these. Rules are, all on the same coarse grid of thresholds:

- *labels*: what nothing else beats in accuracy and mean cost;
- *two halves*: found so on one half, kept where nothing beats it on the other, both ways;
- *probabilities*: accuracy is how likely the reference of the least loss, calibrated, takes answers
  to be right (`netstitch.cascades.choosing`), all that nothing beats;
- *kept*: the same, of which a few are kept, as `find_cascades` does.

Told are, as means over resamples: how many cascades are chosen; by how many points more those
within a point of the ensemble flatter themselves, beside it, on the images that chose them than on
test images; of the cheapest that is as good as the ensemble (the lower end of its paired 95 %
interval is over -0.3 points), how often it is more than 0.3 points worse on test images, and its
cost; the share of cascades on or above the plain cascades' front on test images; and test
hypervolume over 0.8 and over 0.9, references included.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pairs import PAIRS, load_supernet, load_task

import netstitch as ns
from netstitch.analysis import hypervolume
from netstitch.analysis.front_choice import AS_GOOD
from netstitch.cascades.answers import AnswerRule, answer_rule
from netstitch.cascades.candidates import plain_stages
from netstitch.cascades.choosing import choose_drafts
from netstitch.cascades.draft_search import search_drafts
from netstitch.cascades.drafts import NONE, Drafts, joined, undominated
from netstitch.cascades.stage_costs import stage_costs
from netstitch.cascades.stage_table import Answers, StageTable, stage_table
from netstitch.cascades.term_outputs import compute_terms
from netstitch.cascades.terms import Stage, make_stage, terms_of
from netstitch.costs import MULTIPLY_ADDS
from netstitch.evaluation import NumericsConfig
from netstitch.evaluation.measured_output import measured_shape
from netstitch.tasks import Classification, Samples

FORM = NumericsConfig(channels_last=True, batch=64, workers=2, fused=True)
DRAWN, NEAR = 2_048, 0.01
FLOORS = (0.8, 0.9)


@dataclass(frozen=True)
class Pair:
    """A pair's candidates on validation and on test images; references come first."""

    validation: StageTable
    test: StageTable
    references: Sequence[int]

    @property
    def ensemble(self) -> int:
        return self.references[-1]


def load(name: str, stitched: int) -> Pair:
    """The candidates of a pair, with outputs of all."""
    task, supernet = load_task(name), load_supernet(name)
    assert task.training is not None
    assert task.test is not None
    supernet.fit(task.training.batches(64))
    supernet.fit_exits(task.training.batches(64))
    switches = np.linspace(0, len(supernet.switches) - 1, stitched).round().astype(int)
    single = [
        make_stage(supernet, supernet.genotype(output, [switch]))
        for switch in dict.fromkeys(switches.tolist())
        for output in supernet.outputs[:-1]
    ]
    references = plain_stages(supernet, exits=False)
    stages = list(dict.fromkeys([*plain_stages(supernet, exits=True), *single]))
    rule = answer_rule(supernet, task, "probability")
    costs = stage_costs(supernet, MULTIPLY_ADDS, [stage.subnetwork for stage in stages])

    def table(samples: Samples, known: Answers | None) -> tuple[StageTable, Answers]:
        answers = answers_of(supernet, task, samples, stages, rule, len(references), known)
        return stage_table(stages, answers, costs), answers

    validation, known = table(task.validation, None)
    test, _ = table(task.test, known)
    return Pair(validation, test.by_labels(), range(len(references)))


def answers_of(
    supernet: ns.Supernet,
    task: Classification,
    samples: Samples,
    stages: Sequence[Stage],
    rule: AnswerRule,
    references: int,
    known: Answers | None,
) -> Answers:
    """Answers on samples, by the temperatures of others where these are known."""
    terms = terms_of(stages)
    out = torch.empty(len(terms), len(samples), *measured_shape(supernet, task))
    outputs = compute_terms(supernet, task, samples, terms, FORM, "cpu", out)
    answers = Answers(stages, outputs, samples.labels, rule, task)
    if known is not None:
        answers.temperatures.update(known.temperatures)
        return answers
    return Answers(stages, outputs, samples.labels, rule, task, range(references))


Rule = Callable[[StageTable, Pair, int, np.random.Generator], Drafts]


def candidates(table: StageTable) -> range:
    return range(len(table.score))


def by_labels(table: StageTable, pair: Pair, stages: int, random: np.random.Generator) -> Drafts:
    labelled = table.by_labels()
    return search_drafts(labelled, candidates(table), stages).undominated


def by_two_halves(
    table: StageTable, pair: Pair, stages: int, random: np.random.Generator
) -> Drafts:
    labelled = table.by_labels()
    order = random.permutation(len(table.rows))
    halves = [labelled.taken(np.sort(part)) for part in np.array_split(order, 2)]
    kept = [
        other.remeasured(by_labels(own, pair, stages, random)).undominated
        for own, other in (halves, halves[::-1])
    ]
    return labelled.remeasured(joined([*kept, labelled.alone])).undominated


def by_probabilities(
    table: StageTable, pair: Pair, stages: int, random: np.random.Generator
) -> Drafts:
    return search_drafts(table, candidates(table), stages).undominated


def as_kept(table: StageTable, pair: Pair, stages: int, random: np.random.Generator) -> Drafts:
    return choose_drafts(table, search_drafts(table, candidates(table), stages), pair.references)


RULES: dict[str, Rule] = {
    "labels": by_labels,
    "two halves": by_two_halves,
    "probabilities": by_probabilities,
    "kept": as_kept,
}


def plain_front(pair: Pair, stages: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cost and accuracy on test images of plain cascades, chosen by all validation images."""
    own = list(pair.references)
    found = search_drafts(pair.validation.by_labels(), own, stages).undominated
    on_test = pair.test.remeasured(found).undominated
    return on_test.cost, on_test.score


def judged(pair: Pair, table: StageTable, found: Drafts, plain: tuple[NDArray, NDArray]) -> list:
    """The worth of one rule's choice; NaN where it makes no promise."""
    many = found.taken(found.stages[:, 1] != NONE)
    seen, on_test = table.by_labels().remeasured(many), pair.test.remeasured(many)
    ensemble = table.right[pair.ensemble].mean(), pair.test.score[pair.ensemble].mean()
    gaps = (seen.score - ensemble[0]) - (on_test.score - ensemble[1])
    near = seen.score > ensemble[0] - NEAR
    unit = float(pair.test.costs.whole[pair.ensemble])
    promised = [
        index
        for index in range(len(many))
        if lower_end(table.by_labels().outcome(many, index)[0] - table.right[pair.ensemble])
        > -AS_GOOD
    ]
    broken = cost = np.nan
    if len(promised):
        first = promised[np.argmin(seen.cost[promised])]
        broken = float(on_test.score[first] < ensemble[1] - AS_GOOD)
        cost = on_test.cost[first] / unit
    place = np.searchsorted(plain[0], on_test.cost, side="right") - 1
    reached = np.where(place >= 0, plain[1][np.maximum(place, 0)], 0)
    every = joined([on_test, pair.test.alone.taken(np.array(pair.references))])
    kept = every.taken(undominated(every.cost, every.score))
    volumes = [
        hypervolume([*kept.score], [*kept.cost], ensemble=unit, accuracy_floor=floor)
        for floor in FLOORS
    ]
    above = (on_test.score >= reached).mean()
    flattery = 100 * gaps[near].mean() if near.any() else np.nan
    return [len(many), flattery, 100 * broken, 100 * cost, 100 * above, *volumes]


def lower_end(differences: NDArray[np.float64]) -> float:
    """The lower end of the 95 % interval of a mean."""
    return float(differences.mean() - 1.96 * differences.std() / len(differences) ** 0.5)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pair", nargs="+", default=["demo"], choices=PAIRS)
    parser.add_argument("--resamples", type=int, default=100)
    parser.add_argument("--stages", type=int, default=2, choices=(2, 3))
    parser.add_argument("--stitched", type=int, default=40)
    given = parser.parse_args()
    for name in given.pair:
        pair = load(name, given.stitched)
        plain = plain_front(pair, given.stages)
        count = len(pair.validation.rows)
        rows: dict[str, list[list[float]]] = {rule: [] for rule in RULES}
        for resample in range(given.resamples):
            random = np.random.default_rng(resample)
            drawn = np.sort(random.permutation(count)[: min(DRAWN, count // 2)])
            table = pair.validation.taken(drawn)
            for rule, choose in RULES.items():
                found = choose(table, pair, given.stages, random)
                rows[rule].append(judged(pair, table, found, plain))
        print(
            f"\n{name}: {len(pair.validation.score)} candidates, {given.resamples} resamples of "
            f"{len(drawn):,} images, {given.stages} stages\n"
        )
        heads = ("chosen", "flattery", "broken %", "cost %", "above %", "hv 0.8", "hv 0.9")
        print(f"| rule | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 1)}")
        for rule, values in rows.items():
            means = np.nanmean(np.array(values), 0)
            formats = ("{:.0f}", "{:.2f}", "{:.0f}", "{:.1f}", "{:.1f}", "{:.4f}", "{:.4f}")
            cells = (text.format(mean) for text, mean in zip(formats, means, strict=True))
            print(f"| {rule} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
