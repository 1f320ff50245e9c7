"""The demo: the main job on the embedded networks and images."""

from pathlib import Path

from netstitch.analysis import Front, FrontPoint
from netstitch.demo import SECONDS
from netstitch.demo.data import load_models, load_task
from netstitch.exporting import Exported, export
from netstitch.optimization import Budget
from netstitch.run import Finished, Plan, Reporter, carry_out

POPULATION = 32
THRESHOLD = 0.9
"""Accuracy that the search is steered over: cheap networks that do not work are of no interest."""


def run_demo(
    folder: Path, reporter: Reporter, *, seed: int = 1, seconds: float = SECONDS
) -> Finished:
    """Two Fashion-MNIST networks to a front, in a new folder.

    seconds: of search; everything around it takes about as long again.
    """
    reporter.stage("read")
    task, models = load_task(), load_models()
    parts = (task.training, task.validation, task.test)
    counts = [f"{len(part):,} {part.name}" for part in parts if part is not None]
    reporter.told(f"Fashion-MNIST images: {', '.join(counts)}")
    plan = Plan(
        "Fashion-MNIST: ResNet and MobileNet",
        budget=Budget(None, seconds),
        population=POPULATION,
        seed=seed,
        threshold=THRESHOLD,
        asked={
            "demo": True,
            "seed": seed,
            "seconds": seconds,
            "population": POPULATION,
            "threshold": THRESHOLD,
        },
    )
    return carry_out(plan, list(models.items()), task, folder, reporter)


def choose(front: Front) -> FrontPoint:
    """The cheapest network that validation cannot tell from the ensemble.

    Its bootstrap interval of the difference reaches 0; test accuracy plays no part in the choice.
    """
    for point in front:
        difference = point.validation_difference
        if difference is not None and difference.high >= 0:
            return point
    return max(front, key=lambda point: point.validation)


def export_chosen(finished: Finished, folder: Path, reporter: Reporter) -> Exported:
    """Export the chosen network in all formats, each file run and compared."""
    reporter.stage("export")
    point = choose(finished.front)
    card = {"label": point.label, "validation": point.validation, "test": point.test}
    return export(finished.supernet, point.genotype, folder, card=card, progress=reporter.progress)
