"""The demo: the main job on the embedded networks and images."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from netstitch.analysis import Front, FrontPoint
from netstitch.demo import SECONDS
from netstitch.demo.embedded import load_models, load_task
from netstitch.evaluation import ExecutionConfig
from netstitch.experiments.fit_table import AdamTable, LeastSquaresTable
from netstitch.experiments.refine_table import RefineTable
from netstitch.exporting import Exported
from netstitch.optimization import Budget
from netstitch.runs.reporter import Reporter
from netstitch.runs.run import Finished, carry_out, export_point
from netstitch.runs.run_plan import OBJECTIVE, POINTS, RunPlan

EVALUATIONS = 1_000
"""Known ones counted; they mostly end the search before its time does."""

POPULATION = 64
IN_FLIGHT = 16
"""Evaluations under way; what is found depends on it, and not on how many processes there are."""

AFFORDABLE = 0.75
"""Of the ensemble's multiply-adds, what the exported network may cost."""

THRESHOLD = 0.8
"""Accuracy that the search is steered over: cheap networks that do not work are of no interest."""

REFINE = RefineTable(steps=120, seconds=40.0, holdout=0.0625)
"""So many steps as the demo's two minutes allow, on slow machines too."""


def run_demo(
    folder: Path,
    reporter: Reporter,
    *,
    seed: int = 1,
    seconds: float = SECONDS,
    paper: bool = False,
    device: str = "cpu",
) -> Finished:
    """Two Fashion-MNIST networks to a front, in a new folder.

    seed: of everything random. seconds: after which the search ends in any case; all around it
        takes about a minute.
    paper: match and fit exactly as the paper does: all points, as many matches as there can be,
        stitches trained by Adam, nothing refined.
    device: what fits and evaluates, a name that PyTorch knows.
    """
    plan = demo_plan(seed=seed, seconds=seconds, paper=paper)
    plan = replace(plan, spread=replace(plan.spread, devices=(device,)))
    reporter.stage("read")
    task, models = load_task(), load_models()
    parts = (task.training, task.validation, task.test)
    counts = [f"{len(part):,} {part.name}" for part in parts if part is not None]
    reporter.told(f"Fashion-MNIST images: {', '.join(counts)}")
    return carry_out(plan, list(models.items()), task, folder, reporter)


def demo_plan(*, seed: int, seconds: float, paper: bool) -> RunPlan:
    """What the demo does; parameters as of `run_demo`."""
    procedure = paper_procedure(seed) if paper else own_procedure(seed)
    return RunPlan(
        "Fashion-MNIST: ResNet and MobileNet",
        budget=Budget(EVALUATIONS, seconds),
        population=POPULATION,
        seed=seed,
        threshold=THRESHOLD,
        spread=ExecutionConfig("processes", in_flight=IN_FLIGHT),
        **procedure,
        asked={
            "demo": True,
            "procedure": "paper" if paper else "netstitch",
            **procedure,
            "seed": seed,
            "evaluations": EVALUATIONS,
            "seconds": seconds,
            "population": POPULATION,
            "threshold": THRESHOLD,
        },
    )


def paper_procedure(seed: int) -> dict[str, Any]:
    """Settings of a plan: the paper's procedure, sections 3 and 6."""
    table = AdamTable()
    return {
        "points": "all",
        "matching_objective": "count",
        "fit": table.model_dump(exclude={"batch"}) | {"seed": seed},
        "fit_batch": table.batch,
        "refine": None,
    }


def own_procedure(seed: int) -> dict[str, Any]:
    """Settings of a plan: this package's procedure, with as many steps as there is time for."""
    table = LeastSquaresTable()
    return {
        "points": POINTS,
        "matching_objective": OBJECTIVE,
        "fit": table.model_dump(exclude={"batch"}),
        "fit_batch": table.batch,
        "refine": REFINE.settings | {"seed": seed},
    }


def choose(front: Front) -> FrontPoint:
    """The most accurate network on validation that costs at most AFFORDABLE of the ensemble.

    The cheapest, where none is affordable. Test accuracy plays no part in the choice.
    """
    ensemble = front.ensemble
    limit = AFFORDABLE * ensemble.multiply_adds if ensemble is not None else float("inf")
    affordable = [point for point in front if point.multiply_adds <= limit]
    return max(affordable, key=lambda point: point.validation) if affordable else front.points[0]


def export_chosen(finished: Finished, folder: Path, reporter: Reporter) -> Exported:
    """Export the chosen network in all formats, each file run and compared."""
    return export_point(finished.supernet, choose(finished.front), folder, reporter)
