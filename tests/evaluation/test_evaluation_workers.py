"""Evaluations in processes are those of this process, whatever they share."""

import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_supernets import random_task, small_supernet

from netstitch.errors import DataError, StorageError
from netstitch.evaluation import Evaluator, ExecutionConfig, NumericsConfig, evaluating
from netstitch.evaluation import workers as module
from netstitch.evaluation.workers import WorkerEvaluator
from netstitch.files.leftovers import HELD
from netstitch.optimization import Executor
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification

FORM = NumericsConfig(channels_last=True, batch=7, workers=1)


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return small_supernet()


@pytest.fixture(scope="module")
def task() -> Classification:
    return random_task()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def genotypes(supernet: Supernet, count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(supernet.cardinalities) for _ in range(count)]


def made(supernet: Supernet, task: Classification) -> Any:
    def make(device: torch.device) -> Evaluator:
        return Evaluator(supernet, task, task.validation, FORM, device=device)

    return make


def results(executor: Executor, asked: list[np.ndarray]) -> list[tuple[float, ...] | None]:
    for ticket, genotype in enumerate(asked):
        executor.submit(ticket, genotype)
    found: dict[int, tuple[float, ...] | None] = {}
    while more := executor.wait():
        found |= {one.ticket: one.objectives for one in more}
    return [found[ticket] for ticket in range(len(asked))]


def plainly(supernet: Supernet, task: Classification, asked: list[np.ndarray]) -> list[Any]:
    evaluator = Evaluator(supernet, task, task.validation, FORM)
    return [evaluator(genotype) for genotype in asked]


@pytest.mark.parametrize("in_flight", [2, 12])
@pytest.mark.parametrize("kind", ["serial", pytest.param("processes", marks=pytest.mark.slow)])
def test_every_spread_gives_the_same(
    supernet: Supernet, task: Classification, kind: Any, in_flight: int, temporary: Path
) -> None:
    asked = genotypes(supernet, 20)
    workers = 2 if kind == "processes" else 0
    spread = ExecutionConfig(executor=kind, workers=workers, in_flight=in_flight)
    with evaluating(made(supernet, task), spread) as executor:
        assert executor.capacity == in_flight
        assert results(executor, asked) == plainly(supernet, task, asked)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "capacity"),
    [
        ({"executor": "serial", "threads": 3}, 3),
        pytest.param({"executor": "processes", "workers": 2}, 2, marks=pytest.mark.slow),
    ],
)
def test_without_a_number_as_many_are_under_way_as_there_are_places(
    supernet: Supernet, task: Classification, settings: Any, capacity: int
) -> None:
    asked = genotypes(supernet, 7)
    spread = ExecutionConfig(in_flight=0, order="finished", **settings)
    with evaluating(made(supernet, task), spread) as executor:
        assert executor.capacity == capacity
        assert results(executor, asked) == plainly(supernet, task, asked)


def test_what_workers_load_brings_its_tensors_by_the_file(
    supernet: Supernet, task: Classification, tmp_path: Path
) -> None:
    evaluator = Evaluator(supernet, task, task.validation, FORM)
    [first, *_] = asked = genotypes(supernet, 3)
    shared = WorkerEvaluator(evaluator, [torch.device("cpu")], tmp_path)
    loaded: WorkerEvaluator = pickle.loads(pickle.dumps(shared))  # noqa: S301 - just made
    assert [loaded(first)] == plainly(supernet, task, [first])
    assert loaded.together(asked) == plainly(supernet, task, asked)


def test_of_a_group_only_what_is_not_finite_fails(supernet: Supernet, task: Classification) -> None:
    evaluator = Evaluator(supernet, task, task.validation, FORM)
    original = evaluator.task.correct
    calls = []

    def correct(outputs: Any, labels: Any) -> Any:
        calls.append(1)
        if len(calls) == batches + 1:  # the first one of the second genotype
            raise DataError("not finite")
        return original(outputs, labels)

    batches = len(task.validation.batches(FORM.batch))
    object.__setattr__(evaluator.task, "correct", correct)
    try:
        found = evaluator.together(genotypes(supernet, 3))
    finally:
        object.__delattr__(evaluator.task, "correct")
    assert [type(one).__name__ for one in found] == ["Objectives", "DataError", "Objectives"]


def test_folders_that_killed_processes_left_are_removed(temporary: Path) -> None:
    names = f".{module.SHARED}.1-01234567.partial", "mine", "x"
    left, new, other = (temporary / name for name in names)
    for folder in (left, new, other):
        folder.mkdir()
    (left / HELD).touch()
    (left / "tensors").write_text("much")
    with module._shared_folder() as folder:
        assert not left.exists()
        with module._shared_folder() as second:
            assert folder.is_dir()  # it is in use
        assert not second.exists()
    assert sorted(path.name for path in temporary.iterdir()) == ["mine", "x"]


def test_no_room_for_what_is_shared(
    supernet: Supernet, task: Classification, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "WorkerEvaluator", full)
    with (
        pytest.raises(StorageError, match="no space left on device"),
        evaluating(made(supernet, task), ExecutionConfig(workers=1, in_flight=1)),
    ):
        pass
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_on_ray_it_is_the_same(supernet: Supernet, task: Classification) -> None:
    asked = genotypes(supernet, 20)
    with tempfile.TemporaryDirectory(prefix="ns", dir="/tmp") as folder:
        spread = ExecutionConfig(executor="ray", workers=2, in_flight=12, temporary=folder)
        with evaluating(made(supernet, task), spread) as executor:
            assert results(executor, asked) == plainly(supernet, task, asked)


def test_what_is_sent_has_its_tensors_in_one_array(
    supernet: Supernet, task: Classification
) -> None:
    evaluator = Evaluator(supernet, task, task.validation, FORM)
    asked = genotypes(supernet, 3)
    sent = WorkerEvaluator(evaluator, [torch.device("cpu")])
    buffers: list[pickle.PickleBuffer] = []
    text = pickle.dumps(sent, protocol=5, buffer_callback=buffers.append)
    assert len(buffers) == 1
    loaded: WorkerEvaluator = pickle.loads(text, buffers=buffers)  # noqa: S301 - just made
    assert loaded.together(asked) == plainly(supernet, task, asked)
    assert loaded(asked[0]) == plainly(supernet, task, asked)[0]


@pytest.mark.parametrize(("ordered", "together"), [(True, [0, 2, 4]), (False, [0, 1, 2])])
def test_those_that_share_work_are_computed_together_where_the_order_stays(
    supernet: Supernet, task: Classification, ordered: bool, together: list[int]
) -> None:
    families = [supernet.genotype(output) for output in ("wide", "deep")]
    spread = ExecutionConfig(
        executor="serial", in_flight=6, order="asked" if ordered else "finished"
    )
    with evaluating(made(supernet, task), spread) as executor:
        for ticket in range(6):
            executor.submit(ticket, families[ticket % 2])
        assert [one.ticket for one in executor.wait()] == together
