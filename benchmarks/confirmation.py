"""Measures what holds of a front on test images, where samples that no search saw decide it.

    python benchmarks/confirmation.py [--pair NAME ...] [--draws 200] [--cascades 20]

For each pair of `pairs.py`, the references, all exits and all networks of one refined stitch are
evaluated once on all validation and test images. Each draw parts the validation images into two
halves. What nothing beats on the first half is proposed, as by a search; the second one are
confirmation samples. Rules are

- *all*: proposed by both halves together, and all of it shown: no confirmation samples;
- *half*: proposed by the first half, and all of it shown: confirmation is only measured;
- *points*: of that, what nothing proposed, and no reference, beats on the second half;
- *together*: of that, what none of these beats on both halves together, as a run does;
- *interval Z*: of that, what nothing that costs no more beats on the second half by over Z standard
  errors of the paired difference.

Cascades of the references and exits are chosen as `find_cascades` does, by probabilities on the
first half. Two more rules are *probabilities*, what none of them beats in these on the second
half; and *half, by probabilities*, the same cascades as *half*.

Told are, as means over draws: how many points are shown; the share of them that no other, and no
reference, beats on test images; their test hypervolume, references included; and the same area of
what would be chosen: for each limit of cost the point with the best figure, at its test accuracy.
Figures are those of the images that a rule decides by, of intervals those of the first half, and
where probabilities are named, these. Behind both areas stands the difference to *half* in
ten-thousandths, with its 95 % interval over draws; all draws share the images.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from cascade_choice import Pair, answers_of
from fronts import DEFAULT_FLOORS, FLOORS
from numpy.typing import NDArray
from pairs import PAIRS, load_supernet, load_task

from netstitch.analysis.hypervolume import REACH
from netstitch.cascades.answers import answer_rule
from netstitch.cascades.candidates import plain_stages
from netstitch.cascades.choosing import choose_drafts
from netstitch.cascades.draft_search import search_drafts
from netstitch.cascades.drafts import Drafts, joined, undominated
from netstitch.cascades.stage_costs import stage_costs
from netstitch.cascades.stage_table import StageTable, stage_table
from netstitch.cascades.terms import make_stage
from netstitch.costs import MULTIPLY_ADDS
from netstitch.searching.first_networks import first_networks

INTERVALS = (1.0, 1.96)
ALL, HALF, POINTS, TOGETHER = "all", "half", "points", "together"
PROBABILITIES, HALF_BY_PROBABILITIES = "probabilities", "half, by probabilities"

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class OnImages:
    """Points on some images: (k, n) their right answers, and (k,) their mean costs."""

    right: Floats
    cost: Floats

    @property
    def accuracy(self) -> Floats:
        return self.right.mean(1)

    def taken(self, chosen: NDArray[np.integer] | Mask) -> "OnImages":
        return OnImages(self.right[chosen], self.cost[chosen])

    def kept(self) -> Mask:
        """Return the mask of what nothing beats by points."""
        return undominated(self.cost, self.accuracy)

    def kept_within(self, errors: float) -> Mask:
        """Return the mask of what nothing beats by over `errors` standard errors."""
        kept = np.ones(len(self.cost), np.bool_)
        for index, own in enumerate(self.right):
            better = self.right[self.cost <= self.cost[index]] - own
            error = better.std(1) / better.shape[1] ** 0.5
            kept[index] = not (better.mean(1) > errors * error).any()
        return kept


@dataclass(frozen=True)
class Shown:
    """Points that a rule shows, references first: on test images, and their deciding figures."""

    test: OnImages
    figures: Floats
    references: int

    def measures(self, unit: float, floor: float) -> list[float]:
        found = np.arange(len(self.figures)) >= self.references
        count = int(found.sum())
        survived = 100 * self.test.kept()[found].mean() if count else np.nan
        best = area(self.test.cost, self.test.accuracy, self.test.accuracy, unit, floor)
        chosen = area(self.test.cost, self.figures, self.test.accuracy, unit, floor)
        return [count, survived, best, chosen]


def area(cost: Floats, figures: Floats, accuracy: Floats, unit: float, floor: float) -> float:
    """Return the accuracy over a floor of the best figure within a cost, over costs up to REACH.

    With the accuracies for figures it is the hypervolume.
    """
    order = np.lexsort((-figures, cost))
    ends = np.append(np.minimum(cost[order] / unit, REACH), REACH)
    best = np.maximum.accumulate(figures[order])
    # Of equal figures the cheapest, which is the first.
    holder = np.searchsorted(best, best, side="left")
    height = np.maximum(accuracy[order][holder] - floor, 0)
    return float((height * np.diff(ends)).sum())


@dataclass(frozen=True)
class Candidates:
    """A pair's references, exits and single-stitch networks, in this order.

    Attributes:
        pair: With all of them on validation and on test images.
        plain: The candidates without stitches, which are stages of cascades.
    """

    pair: Pair
    plain: range


def load(name: str) -> Candidates:
    """Return the candidates of a pair, with outputs of all."""
    task, supernet = load_task(name), load_supernet(name)
    assert task.training is not None
    assert task.test is not None
    supernet.fit(task.training.batches(64))
    settings = PAIRS[name].refine | {"seconds": None}  # as many steps on any machine
    supernet.refine(task.training.batches(64), **settings)
    supernet.fit_exits(task.training.batches(64))
    references, plain = (plain_stages(supernet, exits=some) for some in (False, True))
    stitched = [make_stage(supernet, one) for one in first_networks(supernet, supernet.macs)]
    stages = [*plain, *stitched]
    rule = answer_rule(supernet, task, "probability")
    costs = stage_costs(supernet, MULTIPLY_ADDS, [stage.subnetwork for stage in stages])
    seen = answers_of(supernet, task, task.validation, stages, rule, len(references), None)
    validation = stage_table(stages, seen, costs)
    unseen = answers_of(supernet, task, task.test, stages, rule, len(references), seen)
    test = stage_table(stages, unseen, costs).by_labels()
    return Candidates(Pair(validation, test, range(len(references))), range(len(plain)))


def networks_shown(candidates: Candidates, first: NDArray, second: NDArray) -> dict[str, Shown]:
    """Return the networks that each rule shows, by images of two halves."""
    pair = candidates.pair
    cost, own = pair.validation.costs.whole, np.array(pair.references)
    halves = [OnImages(pair.validation.right[:, rows], cost) for rows in (first, second)]
    whole = OnImages(np.concatenate([half.right for half in halves], 1), cost)
    test = OnImages(pair.test.right, cost)

    def proposed(by: OnImages) -> NDArray[np.int64]:
        return np.append(own, np.setdiff1d(np.flatnonzero(by.kept()), own))

    def shown(places: NDArray, kept: Mask, figures: OnImages) -> Shown:
        stays = kept | (np.arange(len(places)) < len(own))
        on_test = test.taken(places[stays])
        return Shown(on_test, figures.accuracy[places[stays]], len(own))

    half, together = proposed(halves[0]), proposed(whole)
    confirmed, both = halves[1].taken(half), whole.taken(half)
    everything = np.ones(len(half), np.bool_)
    found = {
        ALL: shown(together, np.ones(len(together), np.bool_), whole),
        HALF: shown(half, everything, halves[0]),
        POINTS: shown(half, confirmed.kept(), halves[1]),
        TOGETHER: shown(half, both.kept(), whole),
    }
    for errors in INTERVALS:
        found[f"interval {errors:g}"] = shown(half, confirmed.kept_within(errors), halves[0])
    return found


def on_images(table: StageTable, drafts: Drafts) -> OnImages:
    """Return cascades on the images of a table."""
    found = [table.outcome(drafts, index) for index in range(len(drafts))]
    cost = table.remeasured(drafts).cost
    return OnImages(np.stack([right for right, _ in found]), cost)


def cascades_shown(candidates: Candidates, first: NDArray, second: NDArray) -> dict[str, Shown]:
    """Return the cascades of references and exits that each rule shows."""
    pair = candidates.pair
    tables = [pair.validation.taken(rows) for rows in (first, second, np.append(first, second))]
    references = pair.validation.alone.taken(np.array(pair.references))
    count = len(references)

    def chosen(table: StageTable) -> Drafts:
        found = search_drafts(table, candidates.plain, 2)
        return joined([references, choose_drafts(table, found, pair.references)])

    def shown(drafts: Drafts, kept: Mask, figures: OnImages, test: OnImages) -> Shown:
        stays = kept | (np.arange(len(drafts)) < count)
        return Shown(test.taken(stays), figures.accuracy[stays], count)

    half, together = chosen(tables[0]), chosen(tables[2])
    seen, confirmed, whole = (on_images(table.by_labels(), half) for table in tables)
    likely = tables[1].remeasured(half)
    likely_kept = undominated(likely.cost, likely.score) | (np.arange(len(half)) < count)
    test = on_images(pair.test, half)
    everything = np.ones(len(half), np.bool_)
    found = {
        ALL: shown(
            together,
            np.ones(len(together), np.bool_),
            on_images(tables[2].by_labels(), together),
            on_images(pair.test, together),
        ),
        HALF: shown(half, everything, seen, test),
        POINTS: shown(half, confirmed.kept(), confirmed, test),
        TOGETHER: shown(half, whole.kept(), whole, test),
        PROBABILITIES: Shown(test.taken(likely_kept), likely.score[likely_kept], count),
        HALF_BY_PROBABILITIES: Shown(test, tables[0].remeasured(half).score, count),
    }
    for errors in INTERVALS:
        found[f"interval {errors:g}"] = shown(half, confirmed.kept_within(errors), seen, test)
    return found


def told(
    candidates: Candidates, show: Callable[..., dict[str, Shown]], draws: int, floor: float
) -> None:
    """Print a table of the rules, means over draws."""
    pair = candidates.pair
    unit, count = float(pair.validation.costs.whole[pair.references[-1]]), len(pair.validation.rows)
    rows: dict[str, list[list[float]]] = {}
    for draw in range(draws):
        order = np.random.default_rng(draw).permutation(count)
        halves = np.sort(order[: count // 2]), np.sort(order[count // 2 :])
        for rule, shown in show(candidates, *halves).items():
            rows.setdefault(rule, []).append(shown.measures(unit, floor))
    heads = ("shown", "hold %", f"hv {floor:g}", "to half", "chosen", "to half")
    print(f"| rule | {' | '.join(heads)} |\n|{'---|' * (len(heads) + 1)}")
    base = np.array(rows[HALF])
    for rule, values in rows.items():
        found = np.array(values)
        means = np.nanmean(found, 0)
        cells = [f"{means[0]:.1f}", f"{means[1]:.0f}"]
        for column in (2, 3):
            beside = 1e4 * (found - base)[:, column]
            error = 1.96 * beside.std() / len(beside) ** 0.5
            cells += [f"{means[column]:.4f}", f"{beside.mean():+.1f} ± {error:.1f}"]
        print(f"| {rule} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pair", nargs="+", default=["demo", "digits"], choices=PAIRS)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--cascades", type=int, default=20, help="draws of cascades")
    given = parser.parse_args()
    for name in given.pair:
        candidates = load(name)
        table, floor = candidates.pair.validation, FLOORS.get(name, DEFAULT_FLOORS)[0]
        half = len(table.rows) // 2
        print(f"\n{name}: {len(table.score)} networks and exits, halves of {half:,} images\n")
        told(candidates, networks_shown, given.draws, floor)
        if given.cascades:
            print("\nCascades\n")
            told(candidates, cascades_shown, given.cascades, floor)


if __name__ == "__main__":
    main()
