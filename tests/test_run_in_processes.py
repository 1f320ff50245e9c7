"""A run whose evaluations are in processes, some of which die, and that goes on in others."""

import json
import multiprocessing
import os
import signal
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from run_examples import Interrupting, Quiet, write_experiment

from netstitch.evaluation import Evaluator, Form
from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.experiments.planning import to_plan
from netstitch.optimization import Budget, Progress
from netstitch.run import Finished, carry_out, resume
from netstitch.standing import Standing

CHANGES = (
    ('executor = "serial"', 'executor = "processes"\nworkers = 2\ntogether = 3\ncache = 0.001'),
    ("evaluations = 60", "evaluations = 300"),
)


class Killing(Quiet):
    """Kills a worker in the middle of the search."""

    def searching(self, progress: Progress, budget: Budget) -> None:
        super().searching(progress, budget)
        if progress.evaluated in (30, 60):
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)


def run(folder: Path, reporter: Quiet, standings: list[Standing] | None = None) -> Finished:
    asked = read_experiment(write_experiment(folder, *CHANGES))
    watch = None if standings is None else standings.append
    return carry_out(
        to_plan(asked), load_models(asked), load_task(asked), folder / "run", reporter, watch
    )


def check(done: Finished, task_folder: Path) -> None:
    """Each evaluation is stored once, and is what it is in this process alone."""
    task = load_task(read_experiment(task_folder / "tiny.toml"))
    form: Form = replace(done.form, workers=1)
    evaluator = Evaluator(done.supernet, task, task.validation, form)
    connection = sqlite3.connect(done.folder / "evaluations.sqlite")
    rows = connection.execute(
        "SELECT genotype, signature, accuracy, multiply_adds, failure FROM evaluations"
    ).fetchall()
    connection.close()
    assert len({row[1] for row in rows}) == len(rows) == done.result.evaluated
    assert {row[4] for row in rows} == {None}
    for genotype, _, accuracy, multiply_adds, _ in rows:
        measured = evaluator.evaluate(np.frombuffer(genotype, dtype=np.uint16).astype(np.int64))
        assert (measured.accuracy, measured.multiply_adds) == (accuracy, multiply_adds)


@pytest.mark.slow
def test_workers_that_are_killed_lose_nothing(tmp_path: Path) -> None:
    standings: list[Standing] = []
    done = run(tmp_path, Killing(), standings)
    assert done.result.stopped == "budget"
    assert done.result.used == 300
    check(done, tmp_path)
    assert standings[-1].workers == 2
    assert standings[-1].cache.budget == 1_000_000
    outcome = json.loads((done.folder / "run.json").read_text())["outcome"]
    assert (outcome["spread"]["kind"], outcome["spread"]["workers"]) == ("processes", 2)
    assert multiprocessing.active_children() == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["processes", "serial"])
def test_a_run_goes_on_in_processes_or_without(tmp_path: Path, kind: str) -> None:
    stopped = run(tmp_path, Interrupting(50))
    assert stopped.result.stopped == "interrupted"
    asked = read_experiment(tmp_path / "tiny.toml")
    plan = to_plan(asked)
    workers = plan.spread.workers if kind == "processes" else 0
    plan = replace(plan, spread=replace(plan.spread, kind=kind, workers=workers))
    done = resume(plan, load_task(asked), tmp_path / "run", Quiet())
    assert (done.result.stopped, done.result.used) == ("budget", 300)
    check(done, tmp_path)
