"""Measures learning from the ensemble: basis networks, a front's network, and cascades.

    python benchmarks/distilled.py [--pair demo] [--images 2500] [--epochs 3] [--rate 1e-3]
                                   [--evaluations 100] [--seed 1] [--device cpu]

Half of the validation images choose: the search, cascades and their thresholds see these alone. All
trainings have one number of images without labels, and so of steps (a later stage of a cascade
fewer), once the pair's training images, which its networks were trained on at least in part, and
once images of the other half, which no network was trained on.

Rows are the references as they are; each basis network distilled, all weights; the plain cascade of
the least mean cost that is as good as the ensemble by the images that choose (the dearest, where
none is), as it is, of the distilled networks, and trained as a cascade; and the most accurate
network with stitches of the front at up to 0.9 of the ensemble's multiply-adds, as it is, with its
stitches trained, and with all weights. Told are test accuracy, its difference to what was trained
with a paired 95 % interval, and the mean multiply-adds of test images as a share of the ensemble's.
"""

import argparse
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from pairs import PAIRS, load_supernet, load_task

import netstitch as ns
from netstitch.analysis import Front, FrontPoint, paired_difference
from netstitch.analysis.front_choice import as_good
from netstitch.cascades.answers import AnswerRule, answer_rule
from netstitch.cascades.running import CascadeOrStage, RunOutcome, run_cascades
from netstitch.evaluation import NumericsConfig
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.supernet.cascade_parts import graph_of_all_stages
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification, unlabelled
from netstitch.tuning import give
from netstitch.tuning.cascade_decisions import continuation_shares, with_new_threshold

FORM = NumericsConfig(channels_last=True, batch=250, workers=1)
MEMORY = 1_000_000_000
DEAREST = 0.9
"""The most that the front's network costs, of the ensemble."""


@dataclass(frozen=True)
class Row:
    """A row: its name, what runs in which supernet, and the name of what it was before."""

    name: str
    supernet: Supernet
    runs: CascadeOrStage
    before: str | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description="Networks and cascades that learn the ensemble")
    parser.add_argument("--pair", choices=list(PAIRS), default="demo")
    parser.add_argument("--images", type=int, default=2_500)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--evaluations", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    whole, supernet = load_task(options.pair), load_supernet(options.pair)
    assert whole.training is not None
    assert whole.test is not None
    mixed, half = whole.validation.shuffled(options.seed), len(whole.validation) // 2
    task = replace(whole, validation=mixed.taken(torch.arange(half)))
    others = mixed.inputs[half:]
    seen = whole.training.shuffled(options.seed).inputs
    count = min(options.images, len(others), len(seen))

    supernet.fit(whole.training.batches(64))
    settings = PAIRS[options.pair].refine | {"seed": options.seed}
    supernet.refine(whole.training.batches(64), **settings)
    front = ns.search(
        supernet, task, budget=options.evaluations, seed=options.seed, device=options.device
    )
    front = ns.find_cascades(supernet, task, front, device=options.device)
    keywords = {
        "teacher": "ensemble",
        "epochs": options.epochs,
        "learning_rate": options.rate,
        "seed": options.seed,
        "device": options.device,
    }
    print(f"{count} images without labels, {options.epochs} epochs, a rate of {options.rate:g}\n")
    print("| images | what | test accuracy | difference | mean cost |")
    print("|---|---|---|---|---|")
    for name, images in (("training", seen), ("unseen", others)):
        given = replace(task, training=unlabelled(images[:count], "training"))
        _tell(name, given, rows(supernet, given, front, keywords), options.device)


def rows(
    supernet: Supernet, task: Classification, front: Front, keywords: dict[str, Any]
) -> Iterator[Row]:
    """Yield what is told of; trainings run as their rows come."""
    references = {name: _plain(each) for name, each in supernet.references().items()}
    for name, genotype in references.items():
        yield Row(name, supernet, CascadeStage(genotype))
    both = deepcopy(supernet)
    for name in supernet.names:
        tuned = ns.finetune(supernet, references[name], task, trained="all", **keywords)
        give(both, tuned.trainings[0].weights)
        yield Row(f"{name} distilled", tuned.supernet, CascadeStage(references[name]), name)

    point = as_good(front.plain_cascades) or front.plain_cascades[-1]
    cascade = point.cascade
    words = f"cascade {', then '.join(point.outputs)}"
    yield Row(words, supernet, cascade)
    anew = with_new_thresholds(supernet, both, task, cascade, keywords["device"])
    yield Row(f"{words}, of distilled networks", both, anew, words)
    tuned = ns.finetune(supernet, point, task, trained="all", **keywords)
    assert isinstance(tuned.subnetwork, Cascade)
    yield Row(f"{words}, trained", tuned.supernet, tuned.subnetwork, words)

    limit = DEAREST * supernet.macs(supernet.genotype())
    stitched = [one for one in front if one.stitches and one.multiply_adds <= limit]
    if not stitched:
        return
    best: FrontPoint = max(stitched, key=lambda one: (one.validation, -one.multiply_adds))
    yield Row(best.label, supernet, CascadeStage(best.genotype))
    for trained in ("stitches", "all"):
        tuned = ns.finetune(supernet, best, task, trained=trained, **keywords)
        named = f"{best.label}, {trained} trained"
        yield Row(named, tuned.supernet, CascadeStage(best.genotype), best.label)


def with_new_thresholds(
    supernet: Supernet, trained: Supernet, task: Classification, cascade: Cascade, device: str
) -> Cascade:
    """A cascade with thresholds at which as many images as before go on."""
    rule = answer_rule(supernet, task, cascade.confidence)
    shares = (*continuation_shares(supernet, rule, cascade, device), None)
    done: list[CascadeStage] = []
    for stage, share in zip(cascade.stages, shares, strict=True):
        done.append(with_new_threshold(trained, rule, done, stage, share, device))
    return replace(cascade, stages=tuple(done))


def _tell(images: str, task: Classification, told: Iterator[Row], device: str) -> None:
    """Print each row as it comes."""
    outcomes: dict[str, RunOutcome] = {}
    for row in told:
        rule = answer_rule(row.supernet, task, "probability")
        found = outcomes[row.name] = _ran(row, rule, task, device)
        difference = ""
        if row.before is not None:
            was = outcomes[row.before].metrics.correct
            gap = paired_difference(found.metrics.correct, was, seed=0)
            difference = (
                f"{100 * gap.difference:+.2f} [{100 * gap.low:+.2f}, {100 * gap.high:+.2f}]"
            )
        ensemble = row.supernet.macs(row.supernet.genotype())
        cost = _mean_macs(row, found) / ensemble
        print(
            f"| {images} | {row.name} | {100 * found.metrics.share:.2f} | {difference} | "
            f"{100 * cost:.0f} % |",
            flush=True,
        )


def _ran(row: Row, rule: AnswerRule, task: Classification, device: str) -> RunOutcome:
    if isinstance(row.runs, Cascade):
        rule = replace(rule, kind=row.runs.confidence)
    assert task.test is not None
    [found] = run_cascades(row.supernet, rule, task.test, [row.runs], FORM, device, MEMORY)
    return found


def _mean_macs(row: Row, found: RunOutcome) -> float:
    """The mean multiply-adds of test images."""
    if not isinstance(row.runs, Cascade):
        return row.supernet.macs(row.runs.subnetwork)
    stages = row.runs.stages
    costs = [row.supernet.macs(stages[0].subnetwork)]
    for number in range(2, len(stages) + 1):
        last = replace(stages[number - 1], threshold=None)
        part = Cascade((*stages[: number - 1], last), row.runs.confidence)
        costs.append(graph_of_all_stages(row.supernet, part).multiply_adds)
    shares = found.shares(len(stages))
    return sum(share * cost for share, cost in zip(shares, costs, strict=True))


def _plain(genotype: Any) -> tuple[int, ...]:
    return tuple(genotype.tolist())


if __name__ == "__main__":
    main()
