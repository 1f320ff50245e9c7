"""A run's plan and samples, as its folder says what was asked."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from netstitch.cli.options import again
from netstitch.demo.demo_run import demo_plan
from netstitch.demo.embedded import load_task as load_demo_task
from netstitch.errors import StorageError
from netstitch.evaluation.execution_config import Kind
from netstitch.experiments import Experiment, load_task
from netstitch.networks.sources.importing import permitting
from netstitch.records import read_document
from netstitch.records.run_folder import RUN_FILE
from netstitch.records.trust import check_cluster, permission_for
from netstitch.runs.planning import to_plan
from netstitch.runs.reporter import Reporter, by_part
from netstitch.runs.run_plan import RunPlan
from netstitch.tasks import Task
from netstitch.tasks.datasets.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from netstitch.text import one_line


def recorded_plan(run: Path, asked: Mapping[str, Any]) -> RunPlan:
    """The plan that a run began with; StorageError where run.json does not say it."""
    if is_demo(asked):
        try:
            seed, seconds = int(asked["seed"]), float(asked["seconds"])
            return demo_plan(seed=seed, seconds=seconds, paper=asked["procedure"] == "paper")
        except (KeyError, TypeError, ValueError) as error:
            raise StorageError(f"{run / RUN_FILE} is damaged ({one_line(error)})") from error
    return to_plan(_experiment(run, asked))


def spread_otherwise(
    plan: RunPlan,
    executor: Kind | None,
    workers: int | None,
    address: str | None = None,
    devices: tuple[str, ...] | None = None,
) -> RunPlan:
    """The plan with evaluations spread another way; None keeps what it says."""
    if executor == "serial" and workers is None:
        workers = 0  # those that it began with are no matter of this process
    given = {"kind": executor, "workers": workers, "address": address, "devices": devices}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if executor not in (None, "ray"):  # what only Ray knows is no matter of the others
        changes |= {"address": address, "temporary": None, "gpus_per_worker": 0.0}
    return replace(plan, spread=replace(plan.spread, **changes))


def recorded_task(
    run: Path, asked: Mapping[str, Any], reporter: Reporter, *, trust: bool = False
) -> Task:
    """The samples that a run was given, read again from where they were.

    trust: whether Python that run.json names is run even where this user has not signed it.

    Raises StorageError where run.json names none, or Python that is not to be run, DataError where
    they are not there any more.
    """
    if is_demo(asked):
        return load_demo_task()
    experiment, document = _experiment(run, asked), read_document(run)
    permission = permission_for(run, document, experiment, trust=trust, again=again("--trust"))
    with permitting(permission):
        return load_task(experiment, by_part(reporter), told=reporter.told)


def check_recorded_cluster(run: Path, asked: Mapping[str, Any], plan: RunPlan) -> None:
    """Raise StorageError where a plan has evaluations done by a cluster that is not the user's own.

    It is where run.json names it, which this user has not signed; see `records/trust.py`.
    """
    address = plan.spread.address
    if plan.spread.kind == "ray" and address not in (None, "auto") and not is_demo(asked):
        document, experiment = read_document(run), _experiment(run, asked)
        check_cluster(run, document, experiment, address, again=again("--address", address))


def is_demo(asked: Mapping[str, Any]) -> bool:
    return asked.get("demo") is True


def _experiment(run: Path, asked: Mapping[str, Any]) -> Experiment:
    try:
        return Experiment.model_validate(_as_given(asked))
    except ValueError as error:  # pydantic's own is one
        raise StorageError(
            f"{run / RUN_FILE} does not say which experiment the run is of, since it was begun "
            "from Python; go on there with its samples (netstitch.runs.run.resume, or "
            "ns.export(..., recalibrate=batches))"
        ) from error


def _as_given(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was asked, without the mean and std that earlier versions filled in."""
    task = asked.get("task")
    images = task.get("images") if isinstance(task, Mapping) else None
    if not isinstance(task, Mapping) or not isinstance(images, Mapping) or "class_order" in task:
        return asked
    filled_in = {"mean": list(IMAGENET_MEAN), "std": list(IMAGENET_STD)}
    if any(images.get(key) != value for key, value in filled_in.items()):
        return asked
    given = {key: value for key, value in images.items() if key not in filled_in}
    return {**asked, "task": {**task, "images": given}}
