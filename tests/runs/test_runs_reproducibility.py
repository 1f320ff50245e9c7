"""The documentation's promises of equal bits hold wherever tensors begin in memory.

Each test computes once with everything as it is made, and again with what was read from files, sent
to workers or given by the user beginning at every multiple of four bytes behind a boundary.
"""

import pickle
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from misplacement import OFFSETS, misplace_file, misplaced, write_misplaced
from run_examples import Interrupting, InterruptingRefining, Quiet, write_experiment
from safetensors.torch import save_file
from small_supernets import as_they_are
from torch import Tensor, nn

import netstitch as ns
from netstitch.errors import FittingError
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.evaluation.workers import WorkerEvaluator
from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.files.alignment import is_aligned
from netstitch.networks import Network
from netstitch.optimization.search_state import load_state, save_state
from netstitch.runs.run import Finished, carry_out, resume
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification, CrossEntropyTask, Samples, from_arrays, read_arrays
from netstitch.tuning import FineTuneSettings, finetune_genotype, finetuning

FEATURES, CLASSES = 19, 10
FEW = OFFSETS[1::5]
"""Some offsets, where each takes seconds."""
FORM = NumericsConfig(channels_last=False, batch=7, workers=1)


class Rows(nn.Module):
    """Matrix products of sizes that are no multiples of what registers hold."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(FEATURES, width), nn.Linear(width, 33)
        self.head = nn.Linear(33, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.second(self.first(x).tanh()).relu())
        return found


class Maps(nn.Module):
    """Convolutions, with few channels and a size that is odd."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.next = nn.Conv2d(width, width + 2, 1)
        self.head = nn.Linear(width + 2, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.next(self.norm(self.stem(x)).relu()).relu()
        found: Tensor = self.head(x.mean((2, 3)))
        return found


def inputs_of(kind: type[nn.Module], count: int, seed: int = 0) -> Tensor:
    shape = (FEATURES,) if kind is Rows else (1, 7, 5)
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))


def joined(kind: type[Any]) -> Supernet:
    torch.manual_seed(3)
    made = [ns.capture(kind(width), inputs_of(kind, 2), name=f"n{width}") for width in (13, 21)]
    return as_they_are(ns.Supernet(made, ns.match(*made)))


def task_of(samples: Samples) -> CrossEntropyTask:
    """Scored by cross-entropy, which shows the last bits."""
    return CrossEntropyTask(Classification(validation=samples, classes=CLASSES))


def samples_of(inputs: Tensor) -> Samples:
    labels = torch.arange(len(inputs)) % CLASSES
    return Samples(inputs, labels)


def some(supernet: Supernet, count: int = 6) -> list[Any]:
    random = np.random.default_rng(1)
    chosen = [random.integers(supernet.cardinalities) for _ in range(count)]
    return [*supernet.references().values(), *chosen]


def outputs(supernet: Supernet, samples: Samples, form: NumericsConfig = FORM) -> list[Tensor]:
    return Evaluator(supernet, task_of(samples), samples, form).outputs_together(some(supernet))


def equal(found: Sequence[Tensor], expected: Sequence[Tensor]) -> bool:
    return all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


@pytest.fixture(scope="module", params=[Rows, Maps])
def kind(request: pytest.FixtureRequest) -> type[nn.Module]:
    found: type[nn.Module] = request.param
    return found


@pytest.fixture(scope="module")
def supernet(kind: type[nn.Module]) -> Supernet:
    found = joined(kind)
    found.fit([inputs_of(kind, 64, 1)], threads=1)
    return found


# -- what is loaded


def test_a_supernet_that_is_loaded_gives_what_the_saved_one_does(
    kind: type[nn.Module], supernet: Supernet, tmp_path: Path
) -> None:
    supernet.save(tmp_path / "s")
    samples = samples_of(inputs_of(kind, 23, 2))
    forms = [
        replace(FORM, channels_last=last, fused=fused)
        for last in (False, True)
        for fused in (False, True)
    ]
    expected = [outputs(supernet, samples, form) for form in forms]
    for offset in OFFSETS:
        for path in (tmp_path / "s").rglob("*.safetensors"):
            misplace_file(path, offset)
        found = ns.load(tmp_path / "s")
        assert isinstance(found, Supernet)
        assert all(map(is_aligned, found.tensors().values()))
        for form, wanted in zip(forms, expected, strict=True):
            assert equal(outputs(found, samples, form), wanted)


def test_a_subnetwork_that_is_loaded_gives_what_the_exported_one_does(
    kind: type[nn.Module], supernet: Supernet, tmp_path: Path
) -> None:
    genotype = some(supernet)[-1]
    ns.export(supernet, genotype, tmp_path / "e", formats=["json"])
    x = inputs_of(kind, 5)
    with torch.inference_mode():
        expected = supernet.subnetwork(genotype)(x)
    for offset in OFFSETS:
        misplace_file(tmp_path / "e" / "weights.safetensors", offset)
        found = ns.load(tmp_path / "e")
        assert all(map(is_aligned, found.state_dict().values()))
        with torch.inference_mode():
            assert torch.equal(found(x), expected)


def test_what_is_refined_from_a_loaded_supernet_is_what_is_refined_from_the_saved_one(
    kind: type[nn.Module], supernet: Supernet, tmp_path: Path
) -> None:
    supernet.save(tmp_path / "s")
    batches = [inputs_of(kind, 40, 4)]

    def refined() -> dict[str, Tensor]:
        found = ns.load(tmp_path / "s")
        assert isinstance(found, Supernet)
        found.refine(batches, steps=1, batch_size=7)
        return found.stitch_weights()

    expected = refined()
    for offset in (4, 36):
        for path in (tmp_path / "s").rglob("*.safetensors"):
            misplace_file(path, offset)
        found = refined()
        assert equal(list(found.values()), list(expected.values()))


def test_states_of_searches_come_back_from_every_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = {"a": np.arange(7), "b": [np.linspace(0, 1, 5), "text"], "c": np.array([True])}
    for offset in OFFSETS:
        write_misplaced(monkeypatch, offset)
        save_state(tmp_path / "x.state", state)
        found = load_state(tmp_path / "x.state")
        assert all(one.flags.aligned for one in (found["a"], found["b"][0], found["c"]))
        assert (found["a"] == state["a"]).all()
        assert (found["b"][0] == state["b"][0]).all()


# -- what goes to workers


@pytest.mark.parametrize("offset", OFFSETS)
def test_workers_give_what_this_process_does(
    kind: type[nn.Module],
    supernet: Supernet,
    offset: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = samples_of(inputs_of(kind, 23, 2))
    evaluator = Evaluator(supernet, task_of(samples), samples, FORM)
    expected = [evaluator(one).accuracy for one in some(supernet)]
    write_misplaced(monkeypatch, offset)
    cpu = torch.device("cpu")
    for folder in (tmp_path, None):
        sent = WorkerEvaluator(evaluator, [cpu], folder)
        there = pickle.loads(pickle.dumps(sent))  # noqa: S301 - just made
        assert [accuracy for accuracy, _ in map(there, some(supernet))] == expected
        assert [accuracy for accuracy, _ in there.together(some(supernet))] == expected


# -- what a user gives


@pytest.mark.parametrize("size", [1, 2, 7, 23])
def test_samples_may_begin_anywhere(
    kind: type[nn.Module], supernet: Supernet, size: int, tmp_path: Path
) -> None:
    """In batches of one, with a smaller last one, and all at once."""
    plain = samples_of(inputs_of(kind, 23, 2))
    form = replace(FORM, batch=size)
    expected = outputs(supernet, plain, form)
    save_file({"inputs": plain.inputs, "labels": plain.labels}, tmp_path / "x.safetensors")
    for offset in OFFSETS:
        misplace_file(tmp_path / "x.safetensors", offset)
        given_ = misplaced(plain.inputs, offset)
        whole = misplaced(torch.cat([plain.inputs[:1], plain.inputs]), offset)
        for samples in (
            samples_of(given_),
            from_arrays(given_.numpy(), plain.labels.numpy()),
            from_arrays(*read_arrays(tmp_path / "x.safetensors")),
            samples_of(whole[1:]),  # a view
        ):
            assert equal(outputs(supernet, samples, form), expected)
            assert all(map(is_aligned, samples.batches(size)))


def test_batches_may_begin_anywhere(kind: type[nn.Module]) -> None:
    values, probe = inputs_of(kind, 40, 1), inputs_of(kind, 5, 9)
    supernet = joined(kind)

    def results(offset: int) -> list[Tensor]:
        batches = [misplaced(values[:25], offset), misplaced(values[25:], offset)]
        supernet.fit(batches, threads=1)
        x = misplaced(probe, offset)
        genotype = supernet.genotype("ensemble", [0])
        network = supernet.networks[0]
        module = supernet.subnetwork(genotype, recalibrate=batches)
        with torch.inference_mode():
            return [
                *(tensor.clone() for tensor in supernet.stitch_weights().values()),
                network(x),
                supernet(x, genotype),
                module(probe),
            ]

    expected = results(0)
    for offset in OFFSETS[1:]:
        assert equal(results(offset), expected)


def test_a_model_may_have_weights_anywhere(kind: type[Any]) -> None:
    """As where tensors of a mapped file are given to a model as they are."""
    torch.manual_seed(0)
    model = kind(13).eval()
    x = inputs_of(kind, 5)
    network = ns.capture(model, x)
    expected = network(x)
    for offset in OFFSETS[1:]:
        state = {key: misplaced(tensor, offset) for key, tensor in model.state_dict().items()}
        model.load_state_dict(state, assign=True)
        if offset in FEW:  # capturing takes a second
            network = ns.capture(model, x)
            assert all(map(is_aligned, network.weights.values()))
            assert torch.equal(network(x), expected)
        weights = {key: misplaced(tensor, offset) for key, tensor in network.weights.items()}
        again = Network("again", network.graph, weights)
        assert all(map(is_aligned, again.weights.values()))
        assert torch.equal(again(x), expected)


def test_weights_that_are_assigned_later_are_copied_where_they_are_evaluated(
    kind: type[nn.Module],
) -> None:
    supernet, samples = joined(kind), samples_of(inputs_of(kind, 23, 2))
    expected = outputs(supernet, samples)
    state = {key: misplaced(tensor, 20) for key, tensor in supernet.state_dict().items()}
    supernet.load_state_dict(state, assign=True)
    assert equal(outputs(supernet, samples), expected)
    ns.search(supernet, task_of(samples).task, budget=20, population=4, form=FORM)


# -- what goes on where it was stopped


def begun(folder: Path, listener: Quiet) -> Finished:
    folder.mkdir()
    asked = read_experiment(write_experiment(folder))
    return carry_out(asked, load_models(asked), load_task(asked), folder / "run", listener)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return begun(tmp_path_factory.mktemp("whole") / "x", Quiet())


@pytest.mark.parametrize("offset", FEW)
@pytest.mark.parametrize("listener", [InterruptingRefining, lambda: Interrupting(9)])
def test_a_run_goes_on_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Finished, offset: int, listener: Any
) -> None:
    write_misplaced(monkeypatch, offset)
    with suppress(KeyboardInterrupt):  # while stitches are refined, it ends the run
        assert begun(tmp_path / "cut", listener()).outcome.stopped == "interrupted"
    asked = read_experiment(tmp_path / "cut" / "tiny.toml")
    done = resume(asked, load_task(asked), tmp_path / "cut" / "run", Quiet())
    assert done.front == whole.front


@pytest.mark.parametrize("offset", FEW)
def test_fine_tuning_goes_on_to_the_same_end_with_as_many_threads(
    kind: type[nn.Module],
    supernet: Supernet,
    offset: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = samples_of(inputs_of(kind, 30, 5))
    task = Classification(training=samples, validation=samples, classes=CLASSES)
    genotype = next(one for one in some(supernet) if supernet.active_stitches(one))
    settings = FineTuneSettings(batch_size=7, epochs=2)
    expected = finetune_genotype(supernet, task, genotype, settings)
    write_misplaced(monkeypatch, offset)
    used: list[int] = []
    real = finetuning._descend

    def descend(*rest: Any) -> float:
        used.append(torch.get_num_threads())
        return real(*rest)

    def stop(done: int, *_: Any) -> None:
        if done == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(finetuning, "_descend", descend)
    path = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        finetune_genotype(supernet, task, genotype, settings, checkpoint=path, progress=stop)
    torch.set_num_threads(2)
    try:
        found = finetune_genotype(supernet, task, genotype, settings, checkpoint=path)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert set(used) == {1}
    assert found.losses == expected.losses
    assert equal(list(found.weights.values()), list(expected.weights.values()))


# -- threads and workers


def test_a_fit_says_its_threads_and_takes_them_again(kind: type[nn.Module]) -> None:
    first, second = joined(kind), joined(kind)
    values = [inputs_of(kind, 40, 1)]
    used = first.fit(values).settings["threads"]
    assert isinstance(used, int)
    report = second.fit(values, threads=used)
    assert report.settings["threads"] == used
    assert second.fit_report == report
    assert equal(list(first.stitch_weights().values()), list(second.stitch_weights().values()))
    with pytest.raises(FittingError, match="threads is 0; expected a whole number of 1 or more"):
        first.fit(values, threads=0)


@given(st.integers(1, 12), st.integers(1, 3), st.sampled_from(OFFSETS), st.integers(1, 24))
@settings(deadline=None, max_examples=15)
def test_a_forms_results_depend_on_neither_workers_nor_memory(
    batch: int, workers: int, offset: int, count: int
) -> None:
    supernet = _ROWS
    form = replace(FORM, batch=batch, workers=workers)
    plain = samples_of(inputs_of(Rows, count, 2))
    expected = outputs(supernet, plain, replace(form, workers=1))
    assert equal(outputs(supernet, samples_of(misplaced(plain.inputs, offset)), form), expected)


_ROWS = joined(Rows)
