"""A run whose evaluations are in processes, some of which die, and that goes on in others."""

import json
import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_examples import Interrupting, Quiet, write_experiment

from netstitch.evaluation import Evaluator
from netstitch.evaluation.execution_config import ExecutorName
from netstitch.events import Event, Listener, together
from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.records import read_document
from netstitch.runs.recorded_run import spread_otherwise
from netstitch.runs.run import Finished, carry_out, resume
from netstitch.searching.search_progress import SearchAdvanced, SearchMeasured

SERIAL = (("in_flight = 1", "in_flight = 6"), ("evaluations = 60", "evaluations = 300"))
PARALLEL = (
    *SERIAL,
    ('executor = "serial"', 'executor = "processes"\nworkers = 2\ncache = 0'),
)


class Killing(Quiet):
    """Kills a worker in the middle of the search."""

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if isinstance(event, SearchAdvanced) and event.progress.evaluated in (30, 60):
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)


def run(
    folder: Path,
    *changes: tuple[str, str],
    listener: Listener | None = None,
) -> Finished:
    folder.mkdir()
    asked = read_experiment(write_experiment(folder, *changes))
    models, task = load_models(asked), load_task(asked)
    return carry_out(asked, models, task, folder / "run", listener or Quiet())


def facts(done: Finished) -> list[Any]:
    """All that does not depend on time, the evaluations with the order of deliveries included."""
    connection = sqlite3.connect(done.folder / "evaluations.sqlite")
    deliveries = connection.execute(
        "SELECT number, genotype, signature, objectives, failure, round, skipped"
        " FROM deliveries JOIN evaluations ON evaluation = ordinal ORDER BY number"
    ).fetchall()
    count = connection.execute("SELECT count(*) FROM evaluations").fetchone()
    connection.close()
    outcome = done.outcome
    return [done.front, outcome.skipped, outcome.stopped, deliveries, count]


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return run(tmp_path_factory.mktemp("serial") / "made", *SERIAL)


@pytest.mark.slow
def test_a_search_for_cross_entropy_is_the_same_in_processes(tmp_path: Path) -> None:
    asked = (
        ("classes = 3", "classes = 3\nconfirmation = 9"),
        ("[search]", '[search]\nobjective = "cross-entropy"'),
        ("in_flight = 1", "in_flight = 4"),
    )
    one = run(tmp_path / "one", *asked)
    two = run(tmp_path / "two", *asked, ('executor = "serial"', 'executor = "processes"'))
    assert one.front.objective == "cross-entropy"
    assert facts(one) == facts(two)


@pytest.mark.slow
def test_a_run_in_processes_of_which_some_are_killed_is_that_of_one_process(
    tmp_path: Path, serial: Finished
) -> None:
    events: list[Event] = []
    done = run(tmp_path / "made", *PARALLEL, listener=together(Killing(), events.append))
    assert facts(done) == facts(serial)
    measured = [event.progress for event in events if isinstance(event, SearchMeasured)]
    assert measured[-1].workers == 2
    outcome = json.loads((done.folder / "run.json").read_text())["outcome"]
    assert (outcome["spread"]["executor"], outcome["spread"]["workers"]) == ("processes", 2)
    assert multiprocessing.active_children() == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["processes", "serial"])
def test_a_run_goes_on_in_processes_or_without(
    tmp_path: Path, serial: Finished, kind: ExecutorName
) -> None:
    """Evaluations that the search was not given before it stopped are not done again."""
    stopped = run(tmp_path / "made", *PARALLEL, listener=Interrupting(31))
    assert stopped.outcome.stopped == "interrupted"
    asked = read_experiment(tmp_path / "made" / "tiny.toml")
    plan = spread_otherwise(asked, kind, 2 if kind == "processes" else 0)
    done = resume(plan, load_task(asked), stopped.folder, Quiet())
    assert facts(done) == facts(serial)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(2, 1), (1, 2)])
def test_other_workers_repeat_what_was_delivered(tmp_path: Path, workers: tuple[int, int]) -> None:
    """With in_flight = 0, which means the number of workers that the search began with."""
    first, then = workers
    changes = (
        ("in_flight = 1", 'in_flight = 0\norder = "finished"'),
        ("evaluations = 60", "evaluations = 200"),
        ('executor = "serial"', f'executor = "processes"\nworkers = {first}'),
    )
    stopped = run(tmp_path / "made", *changes, listener=Interrupting(26))
    *_, before, _ = facts(stopped)
    (stopped.folder / "search-8.state").unlink()
    asked = read_experiment(tmp_path / "made" / "tiny.toml")
    plan = spread_otherwise(asked, "processes", then)
    listener = Quiet()
    *_, after, [count] = facts(resume(plan, load_task(asked), stopped.folder, listener))
    assert after[: len(before)] == before
    assert len(after) == count
    idle = [line for line in listener.lines if "of 2 workers no more have work" in line]
    assert len(idle) == (first < then)


@pytest.mark.slow
def test_in_the_order_of_finishing_each_evaluation_is_what_it_is_elsewhere(
    tmp_path: Path, serial: Finished
) -> None:
    change = ("in_flight = 6", 'in_flight = 6\norder = "finished"')
    done = run(tmp_path / "made", *PARALLEL, change)
    assert done.outcome.evaluations + done.outcome.skipped == 300
    task = load_task(read_experiment(tmp_path / "made" / "tiny.toml"))
    form = read_document(done.folder).form
    assert form is not None
    evaluator = Evaluator(done.supernet, task, task.validation, form)
    deliveries = facts(done)[3]
    assert len({signature for _, _, signature, *_ in deliveries}) == len(deliveries)
    for _, genotype, _, objectives, failure, *_ in deliveries:
        measured = evaluator(np.frombuffer(genotype, np.uint16).astype(np.int64))
        values = {"accuracy": measured.accuracy, "multiply-adds": measured.cost}
        assert json.loads(objectives) == values
        assert failure is None
