"""A run: from models and a task to a folder with a supernet, a front, and every evaluation.

    RUN/
      run.json              what was asked (all defaults filled in), versions, times, outcome
      supernet/             networks, matching, stitches, fit report: `ns.load(RUN)` reads it
      evaluations.sqlite    every evaluation, written as it completed
      front.json, .csv, .png

Nothing is written before models and data have been read and matched, so bad input leaves nothing.
"""

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from netstitch.analysis import Front, front_figure
from netstitch.evaluation import Form, Store
from netstitch.evaluation.form import available_cores
from netstitch.folders import cannot_write, check_new, read_json, write_json
from netstitch.matching import Matching, match
from netstitch.networks import Network, capture
from netstitch.optimization import Budget, Progress, SearchResult
from netstitch.searching import run as run_search
from netstitch.stitching import Averaging
from netstitch.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.version import VERSION

FORMAT = "netstitch-run-1"
RUN_FILE, FRONT_FILE, SUPERNET = "run.json", "front.json", "supernet"
EXAMPLE_SIZE = 2


class Reporter(Protocol):
    """Where a run tells how far it is."""

    def stage(self, text: str) -> None:
        """A new step begins."""
        ...

    def told(self, text: str) -> None:
        """What the step found."""
        ...

    def progress(self, done: int, total: int | None, text: str) -> None:
        """How far the step is."""
        ...

    def searching(self, progress: Progress, budget: Budget) -> None:
        """How far the search is."""
        ...


@dataclass(frozen=True)
class Plan:
    """What a run does; `asked` is the same as plain data, to be kept in the run folder."""

    name: str
    fit: Mapping[str, Any] = field(default_factory=lambda: {"method": "least-squares"})
    fit_batch: int = 64
    algorithm: str = "ga"
    budget: Budget = field(default_factory=lambda: Budget(20_000))
    population: int = 64
    seed: int = 1
    threshold: float | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Finished:
    """What a run made."""

    folder: Path
    supernet: Supernet
    front: Front
    result: SearchResult
    form: Form


def carry_out(
    plan: Plan,
    models: Sequence[tuple[str, nn.Module]],
    task: Task,
    folder: Path,
    reporter: Reporter,
) -> Finished:
    """Run the whole way from models to a front, writing into a new folder.

    task: with training samples, which stitches are fitted on.

    Ctrl-C during the search ends it with the front found so far, and everything is written.
    """
    check_new(folder)
    seconds: dict[str, float] = {}
    with _timed(seconds, "capture"):
        networks = capture_all(models, task, reporter)
    with _timed(seconds, "match"):
        matching = match_all(networks, reporter)
    supernet = Supernet(networks, matching, averaging=Averaging(task.ensemble))
    training = task.training or task.validation
    with _timed(seconds, "fit"):
        _fit(supernet, training, plan, reporter)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    write_json(folder / RUN_FILE, _document(plan, supernet, seconds))
    supernet.save(folder / SUPERNET)
    reporter.stage("search")
    with Store(folder / "evaluations.sqlite") as store, _timed(seconds, "search and test"):
        searched = run_search(
            supernet,
            task,
            algorithm=plan.algorithm,
            budget=plan.budget,
            population=plan.population,
            seed=plan.seed,
            threshold=plan.threshold,
            store=store,
            on_progress=lambda progress: reporter.searching(progress, plan.budget),
            on_measure=reporter.stage,
        )
    front, result = searched.front, searched.result
    front.to_json(folder / FRONT_FILE)
    front.to_csv(folder / "front.csv")
    front_figure(front, folder / "front.png", title=plan.name, floor="tight")
    outcome = {
        "stopped": result.stopped,
        "evaluations": result.evaluated,
        "skipped": result.skipped,
        "failed": result.failed,
        "search_seconds": result.elapsed,
        "form": asdict(searched.form),
    }
    write_json(folder / RUN_FILE, _document(plan, supernet, seconds) | {"outcome": outcome})
    return Finished(folder, supernet, front, result, searched.form)


def capture_all(
    models: Sequence[tuple[str, nn.Module]], task: Task, reporter: Reporter
) -> list[Network]:
    """Capture each model with the first samples of validation."""
    reporter.stage("capture")
    example = task.validation.inputs[:EXAMPLE_SIZE]
    networks = []
    for name, model in models:
        networks.append(capture(model, example, name=name))
        reporter.told(_describe(networks[-1]))
    return networks


def match_all(networks: Sequence[Network], reporter: Reporter) -> Matching:
    """The matching of the networks."""
    reporter.stage("match")
    matching = match(*networks)
    bound = "the maximum" if matching.exact else f"at most {matching.upper_bound:.0f} are possible"
    reporter.told(f"{len(matching)} matches ({bound})")
    return matching


def _fit(supernet: Supernet, training: Samples, plan: Plan, reporter: Reporter) -> None:
    reporter.stage("fit")
    report = supernet.fit(
        training.batches(plan.fit_batch), progress=reporter.progress, **dict(plan.fit)
    )
    errors = sorted(row.relative_error for row in report.rows if row.relative_error is not None)
    middle = errors[len(errors) // 2] if errors else float("nan")
    reporter.told(
        f"{len(report.rows)} stitches on {report.samples:,} samples, "
        f"median held-out error {middle:.2f}"
    )


def load_front(run: Path) -> Front:
    """The front of a run folder; raises StorageError when it is not one, or has no front yet."""
    read_json(run / RUN_FILE, FORMAT)
    return Front.from_json(run / FRONT_FILE)


def _describe(network: Network) -> str:
    return (
        f"{network.name}: {network.multiply_adds / 1e6:.2f} M multiply-adds, "
        f"{len(network.graph.points)} points"
    )


def _document(plan: Plan, supernet: Supernet, seconds: Mapping[str, float]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": plan.name,
        "asked": dict(plan.asked),
        "networks": list(supernet.names),
        "matches": len(supernet.matching),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "netstitch": VERSION,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "cores": available_cores(),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
    }


@contextmanager
def _timed(
    seconds: dict[str, float], name: str, clock: Callable[[], float] = time.perf_counter
) -> Iterator[None]:
    started = clock()
    yield
    seconds[name] = clock() - started
