"""A run that was stopped, however that was, goes on and ends as if nothing had happened."""

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import filelock
import numpy as np
import pytest
from run_examples import Interrupting, InterruptingRefining, Quiet, write_experiment

from netstitch.errors import StorageError
from netstitch.evaluation import Evaluator
from netstitch.events import Event
from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.records.run_record import read_run
from netstitch.records.unchanged import check_folder
from netstitch.runs.run import Finished, carry_out, resume
from netstitch.searching.search_progress import SearchAdvanced

Change = tuple[str, str]


def begun(folder: Path, *changes: Change, after: int | None = None) -> Finished:
    """A tiny run, interrupted after some evaluations or not at all."""
    folder.mkdir(exist_ok=True)
    asked = read_experiment(write_experiment(folder, *changes))
    listener = Quiet() if after is None else Interrupting(after)
    models, task = load_models(asked), load_task(asked)
    return carry_out(asked, models, task, folder / "run", listener)


def gone_on(folder: Path, listener: Quiet | None = None) -> Finished:
    asked = read_experiment(folder / "tiny.toml")
    return resume(asked, load_task(asked), folder / "run", listener or Quiet())


def evaluations(folder: Path) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(folder / "run" / "evaluations.sqlite")
    try:
        return connection.execute(
            "SELECT ordinal, genotype, signature, objectives, failure, search, number,"
            " round, skipped FROM deliveries JOIN evaluations ON evaluation = ordinal"
            " ORDER BY search, number"
        ).fetchall()
    finally:
        connection.close()


def facts(done: Finished) -> list[Any]:
    outcome = done.outcome
    return [done.front, outcome.evaluations, outcome.skipped, outcome.stopped, outcome.sweep]


@pytest.mark.parametrize("algorithm", ["ga", "gomea", "lk-gomea", "local-search", "nsga2"])
@pytest.mark.parametrize("state", ["whole", "gone", "damaged"])
def test_the_end_is_that_of_a_run_that_was_never_stopped(
    tmp_path: Path, algorithm: str, state: str
) -> None:
    """From the search's state, or where there is none from the order of results alone."""
    change = ("population = 8", f'population = 8\nalgorithm = "{algorithm}"\nthreshold = 0.5')
    whole = begun(tmp_path / "whole", change)
    assert begun(tmp_path / "cut", change, after=9).outcome.stopped == "interrupted"
    file = tmp_path / "cut" / "run" / "search-8.state"
    if state == "gone":
        file.unlink()
    elif state == "damaged":
        file.write_bytes(file.read_bytes()[:-100])
    asked = read_experiment(tmp_path / "cut" / "tiny.toml")
    second = Interrupting(21)
    assert gone_on(tmp_path / "cut", second).outcome.stopped == "interrupted"
    assert second.evaluated == 21
    third = resume(asked, load_task(asked), tmp_path / "cut" / "run", Quiet())
    assert facts(third) == facts(whole)
    assert evaluations(tmp_path / "cut") == evaluations(tmp_path / "whole")
    assert not list((tmp_path / "cut" / "run").glob("*.state"))


def test_a_sweep_goes_on_in_the_search_that_it_was_in(tmp_path: Path) -> None:
    sweep = 'algorithm = "ga"\npopulation = "sweep"'
    changes = ("population = 8", sweep), ("evaluations = 60", "evaluations = 300")
    whole = begun(tmp_path / "whole", *changes)
    assert len(whole.outcome.sweep) == 2
    first = begun(tmp_path / "cut", *changes, after=40)
    assert len(first.outcome.sweep) == 1

    class SecondSearch(Quiet):
        def __call__(self, event: Event) -> None:
            super().__call__(event)
            at = event.progress.evaluated if isinstance(event, SearchAdvanced) else 0
            if at == 150 and "256" in self.stages[-1]:
                raise KeyboardInterrupt

    assert len(gone_on(tmp_path / "cut", SecondSearch()).outcome.sweep) == 2
    assert facts(gone_on(tmp_path / "cut")) == facts(whole)
    assert evaluations(tmp_path / "cut") == evaluations(tmp_path / "whole")


@pytest.mark.parametrize("state", ["whole", "gone"])
def test_a_race_goes_on_as_if_it_had_not_been_stopped(tmp_path: Path, state: str) -> None:
    changes = (
        ("population = 8", "population = 8\nracing = [16, 32]"),
        ("in_flight = 1", "in_flight = 4\nbatch = 8"),
    )
    whole = begun(tmp_path / "whole", *changes)
    assert begun(tmp_path / "cut", *changes, after=15).outcome.stopped == "interrupted"
    if state == "gone":
        (tmp_path / "cut" / "run" / "search-8.state").unlink()
    assert facts(gone_on(tmp_path / "cut")) == facts(whole)
    assert evaluations(tmp_path / "cut") == evaluations(tmp_path / "whole")
    stored = read_run(tmp_path / "cut" / "run").evaluations
    assert stored.stopped_early.sum() == whole.outcome.ended_early > 10


@pytest.mark.parametrize("order", ["finished", "asked"])
@pytest.mark.parametrize("places", [(4, 1, 2), (1, 4, 1)])
def test_another_number_of_places_repeats_what_was_delivered(
    tmp_path: Path, order: str, places: tuple[int, int, int]
) -> None:
    """With in_flight = 0 as many are under way as there are places, from the beginning on."""
    first, *others = places
    begun(
        tmp_path,
        ("in_flight = 1", f'in_flight = 0\norder = "{order}"\nthreads = {first}'),
        ("evaluations = 60", "evaluations = 200"),
        after=26,
    )
    before, now = evaluations(tmp_path), first
    assert len(before) >= 26
    for then, after in zip(others, (41, None), strict=True):
        (tmp_path / "run" / "search-8.state").unlink()
        file = tmp_path / "tiny.toml"
        file.write_text(file.read_text().replace(f"threads = {now}", f"threads = {then}"))
        now = then
        done = gone_on(tmp_path, Quiet() if after is None else Interrupting(after))
        found = evaluations(tmp_path)
        assert found[: len(before)] == before
        before = found
    assert done.outcome.stopped == "budget"
    assert len(read_run(tmp_path / "run").evaluations) == done.outcome.evaluations


APART = ("population = 8", 'population = 8\nreferences = "apart"')


def test_references_that_were_evaluated_apart_are_known_where_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in the store, and no results of the search."""
    whole = begun(tmp_path / "whole", APART)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:  # before the search has any result
        patched.setattr("netstitch.searching.sweep.sweep", killed)
        with pytest.raises(KeyboardInterrupt):
            begun(tmp_path / "cut", APART)
    run = read_run(tmp_path / "cut" / "run")
    assert [point.label for point in run.front.references] == ["wide", "deep", "ensemble"]
    assert (len(run.front), len(run.evaluations)) == (0, 0)
    with monkeypatch.context() as patched:
        patched.setattr("netstitch.searching.sweep.evaluate_references", killed)
        with pytest.raises(KeyboardInterrupt):
            gone_on(tmp_path / "cut")
    asked: list[bytes] = []
    together = Evaluator.together

    def spy(self: Evaluator, genotypes: Any, thresholds: Any = None) -> Any:
        asked.extend(genotype.tobytes() for genotype in genotypes)
        return together(self, genotypes, thresholds)

    monkeypatch.setattr(Evaluator, "together", spy)
    assert gone_on(tmp_path / "cut", Interrupting(9)).outcome.stopped == "interrupted"
    run = read_run(tmp_path / "cut" / "run")
    assert [point.label for point in run.front.references] == ["wide", "deep", "ensemble"]
    assert len(run.evaluations) == len(run.evaluations.searches[8].evaluation) == 9
    done = gone_on(tmp_path / "cut")
    assert facts(done) == facts(whole)
    assert evaluations(tmp_path / "cut") == evaluations(tmp_path / "whole")
    references = {one.tobytes() for one in done.supernet.references().values()}
    assert not references & set(asked)
    assert len(read_run(tmp_path / "cut" / "run").evaluations) == done.outcome.evaluations


def test_a_run_that_was_stopped_while_it_measured_is_only_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = begun(tmp_path / "whole")

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("netstitch.searching.supernet_search.measure_front", interrupt)
        with pytest.raises(KeyboardInterrupt):
            begun(tmp_path / "cut")
    monkeypatch.setattr("netstitch.evaluation.Evaluator.together", interrupt)
    assert facts(gone_on(tmp_path / "cut")) == facts(whole)


def test_a_time_budget_counts_on_from_where_it_was(tmp_path: Path) -> None:
    change = ("evaluations = 60", "evaluations = 60\nseconds = 1000.0")
    begun(tmp_path, change, after=20)
    store = sqlite3.connect(tmp_path / "run" / "evaluations.sqlite")
    *row, _, _ = store.execute("SELECT * FROM deliveries WHERE number = 20").fetchone()
    row = (*row, 2000.0)
    store.execute(
        "UPDATE deliveries SET elapsed = ?, checksum = ? WHERE number = 20",
        (row[-1], crc32(repr(row).encode())),
    )
    store.commit()
    store.close()
    (tmp_path / "run" / "search-8.state").unlink()
    done = gone_on(tmp_path)
    assert (done.outcome.stopped, done.outcome.evaluations) == ("time", 20)
    assert done.outcome.search_seconds >= 2000


def changed_weights(folder: Path) -> None:
    file = folder / "run" / "supernet" / "networks" / "1" / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def changed_stitches(folder: Path) -> None:
    file = folder / "run" / "supernet" / "stitches.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def changed_samples(folder: Path) -> None:
    with np.load(folder / "val.npz") as read:
        inputs, labels = read["inputs"].copy(), read["labels"]
    inputs[3, 2] += 1
    np.savez(folder / "val.npz", inputs=inputs, labels=labels)


def fewer_samples(folder: Path) -> None:
    text = (folder / "tiny.toml").read_text()
    (folder / "tiny.toml").write_text(text.replace('[task.test]\nsource = "test.npz"', ""))


def another_plan(folder: Path) -> None:
    text = (folder / "tiny.toml").read_text()
    (folder / "tiny.toml").write_text(text.replace("evaluations = 60", "evaluations = 61"))


def in_document(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        file = folder / "run" / "run.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return change


DONE = {
    "stopped": "budget",
    "evaluations": 60,
    "skipped": 0,
    "unchanged": 0,
    "failed": 0,
    "search_seconds": 1.0,
}


def without_store(folder: Path) -> None:
    (folder / "run" / "evaluations.sqlite").unlink()


def empty_store(folder: Path) -> None:
    (folder / "run" / "evaluations.sqlite").write_bytes(b"")


def damaged_store(folder: Path) -> None:
    file = folder / "run" / "evaluations.sqlite"
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(file.read_bytes())
    content[200:4000] = b"\7" * 3800
    file.write_bytes(content)


def another_store(folder: Path) -> None:
    without_store(folder)
    connection = sqlite3.connect(folder / "run" / "evaluations.sqlite")
    connection.execute("CREATE TABLE evaluations (ordinal INTEGER)")
    connection.close()


def older_store(folder: Path) -> None:
    connection = sqlite3.connect(folder / "run" / "evaluations.sqlite")
    connection.execute("DELETE FROM deliveries WHERE number > 3")
    connection.commit()
    connection.close()


def contents(run: Path) -> dict[str, bytes]:
    """The files of a run but its log, which tells of every attempt."""
    files = [file for file in run.glob("*") if file.is_file() and file.name != "run.log"]
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.parametrize(
    "change, message",
    [
        (changed_weights, "network 'deep' changed since the run began; put back"),
        (changed_stitches, "the stitches changed since its search began"),
        (
            in_document(early="never"),
            "began with early = 'never', which is now 'certain', and samples would come in another"
            " order; go on with the former",
        ),
        (in_document(objective="cross-entropy"), "began with objective = 'cross-entropy', which"),
        (changed_samples, "the validation samples changed since the run began"),
        (another_plan, "was asked something else: search.evaluations is 61 and was 60"),
        (in_document(versions={"torch": "1.0", "netstitch": "0.1.0"}), "begun with torch 1.0, and"),
        (in_document(format="netstitch-run-7"), "has format 'netstitch-run-7'; this version reads"),
        (in_document(format="netstitch-run-3"), "has format 'netstitch-run-3'; this version reads"),
        (in_document(form={"batch": 3}), "run.json is damaged"),
        (in_document(outcome=DONE), "is done, its search ended by budget"),
        (in_document(outcome=None), "run.json is damaged: its outcome is none"),
        (in_document(outcome={"stopped": "budget"}), "does not say 'outcome.evaluations'"),
        (in_document(seconds=None), "run.json is damaged: seconds is None"),
        (in_document(config=3), "run.json is damaged: config is 3, and it should be an object"),
        (empty_store, "evaluations.sqlite is"),
        (without_store, "evaluations.sqlite is missing; it holds what was evaluated"),
        (damaged_store, "evaluations.sqlite is damaged"),
        (another_store, "is not a store of evaluations of version 6"),
        (older_store, "search-8.state knows 9 results of the search and "),
    ],
)
def test_what_does_not_fit_any_more_is_named_and_nothing_is_damaged(
    tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    begun(tmp_path, after=9)
    change(tmp_path)
    before = contents(tmp_path / "run")
    with pytest.raises(StorageError, match=message) as raised:
        gone_on(tmp_path)
    assert "\n" not in str(raised.value)
    after = contents(tmp_path / "run")
    assert after == before


def test_stitches_that_changed_while_a_run_is_stopped_in_refining_are_not_refined_ones(
    tmp_path: Path,
) -> None:
    asked = read_experiment(write_experiment(tmp_path))
    models, task = load_models(asked), load_task(asked)
    with pytest.raises(KeyboardInterrupt):
        carry_out(asked, models, task, tmp_path / "run", InterruptingRefining())
    changed_stitches(tmp_path)
    with pytest.raises(StorageError, match="the stitches changed since they were fitted; put back"):
        gone_on(tmp_path)
    with pytest.raises(StorageError, match="the stitches changed since they were fitted; put back"):
        check_folder(tmp_path / "run")


@pytest.mark.parametrize(
    "place", ["preparing.write_bytes", "preparing.write_json", "searching_step.Store"]
)
def test_a_kill_while_refined_stitches_take_the_place_of_fitted_ones(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before their file is written, before what came of it, and before the search begins."""
    whole = begun(tmp_path / "whole")

    def killed(*_: object, **__: object) -> None:
        raise SystemExit(137)

    with monkeypatch.context() as patched:
        patched.setattr(f"netstitch.runs.{place}", killed)
        with pytest.raises(SystemExit):
            begun(tmp_path)
    check_folder(tmp_path / "run")
    assert facts(gone_on(tmp_path)) == facts(whole)
    assert check_folder(tmp_path / "run").done


def test_an_interruption_while_it_repeats_itself_changes_nothing(tmp_path: Path) -> None:
    whole = begun(tmp_path / "whole")
    begun(tmp_path, after=20)
    (tmp_path / "run" / "search-8.state").unlink()
    kept = ("front.json", "progress.json", "run.json", "search.csv")
    before = [(tmp_path / "run" / name).read_bytes() for name in kept]
    with pytest.raises(KeyboardInterrupt):
        gone_on(tmp_path, Interrupting(5))
    assert [(tmp_path / "run" / name).read_bytes() for name in kept[:2]] == before[:2]
    assert json.loads(before[2])["outcome"]["evaluations"] == 20
    assert facts(gone_on(tmp_path)) == facts(whole)


def test_samples_that_are_gone_are_named(tmp_path: Path) -> None:
    begun(tmp_path, after=9)
    asked = read_experiment(tmp_path / "tiny.toml")
    task = load_task(asked)
    without = type(task)(
        validation=task.validation, training=task.training, test=None, classes=task.classes
    )
    with pytest.raises(StorageError, match="the test samples are not there any more"):
        resume(asked, without, tmp_path / "run", Quiet())


def test_a_run_belongs_to_one_process(tmp_path: Path) -> None:
    begun(tmp_path, after=9)
    other = filelock.FileLock(tmp_path / "run" / "run.lock")
    with other, pytest.raises(StorageError, match="is being run by another process"):
        gone_on(tmp_path)
    assert gone_on(tmp_path).outcome.stopped == "budget"


def rows(store: Path) -> list[tuple[int, bytes]]:
    """Ordinals and signatures of evaluations; none where there is no table yet."""
    if not store.exists():
        return []
    connection = sqlite3.connect(store, timeout=30)
    try:
        return connection.execute(
            "SELECT ordinal, signature FROM evaluations ORDER BY ordinal"
        ).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def wait_for(store: Path, count: int, child: int, seconds: float) -> None:
    """Until so many evaluations are stored, so many seconds passed, or the child ended."""
    ended = select.poll()
    ended.register(os.pidfd_open(child), select.POLLIN)
    until = time.monotonic() + seconds
    while time.monotonic() < until and not ended.poll(2):
        if len(rows(store)) >= count:
            return


KILLED = """
import os, sys, time
from pathlib import Path
import torch
from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.runs.run import carry_out, resume
sys.path.insert(0, sys.argv[2])
from run_examples import Quiet

folder, run = Path(sys.argv[1]), Path(sys.argv[1]) / "run"
for line in sys.stdin:  # a fork for each, since importing takes longer than the run
    if os.fork() == 0:
        try:
            torch.set_num_threads(1)
            asked = read_experiment(folder / "tiny.toml")
            task = load_task(asked)
            if (run / "run.json").exists():
                resume(asked, task, run, Quiet())
            else:
                carry_out(asked, load_models(asked), task, run, Quiet())
            os._exit(0)
        except BaseException as error:
            print("failed", repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    print("child", flush=True)
    pid, status = os.wait()
    print(status, flush=True)
"""


@pytest.mark.slow
def test_a_run_that_is_killed_twenty_times_loses_nothing(tmp_path: Path) -> None:
    """At random moments, before and while it searches."""
    changes = ("evaluations = 60", "evaluations = 4000"), ("population = 8", "population = 32")
    whole = begun(tmp_path / "whole", *changes)
    folder = tmp_path / "killed"
    folder.mkdir()
    write_experiment(folder, *changes)
    store = folder / "run" / "evaluations.sqlite"
    generator = np.random.default_rng(3)
    seen: list[int] = []
    command = [sys.executable, "-c", KILLED, str(folder), str(Path(__file__).parents[1])]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None

        def run() -> int:
            assert nursery.stdin is not None
            assert nursery.stdout is not None
            print(file=nursery.stdin, flush=True)
            assert nursery.stdout.readline() == "child\n"
            children = Path(f"/proc/{nursery.pid}/task/{nursery.pid}/children").read_text().split()
            return int(children[0]) if children else 0

        for kill in range(20):
            child = run()
            # a few at any time on the way to the search, the others while it goes on
            if child and kill < 4:
                wait_for(store, 10, child, float(generator.uniform(0, 2)))
            elif child:
                wait_for(store, seen[-1] + int(generator.integers(1, 10)), child, 60)
            if child:
                os.kill(child, signal.SIGKILL)
            nursery.stdout.readline()
            seen.append(len(rows(store)))
            assert [ordinal for ordinal, _ in rows(store)] == list(range(1, seen[-1] + 1))
        run()
        assert nursery.stdout.readline() == "0\n"
        nursery.stdin.close()
    assert seen == sorted(seen)
    assert len(set(seen)) > 12  # most of them were in the search
    assert evaluations(folder) == evaluations(tmp_path / "whole")
    found = json.loads((folder / "run" / "front.json").read_text())
    assert found == json.loads((tmp_path / "whole" / "run" / "front.json").read_text())
    assert whole.outcome.stopped == "converged"  # the small space is known before its budget ends
