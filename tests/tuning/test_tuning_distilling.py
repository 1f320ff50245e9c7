"""Distilling: outputs come nearer to the teacher's on samples that were not trained on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_supernets import as_they_are, random_samples, random_task, small_supernet
from torch import nn
from torch.nn import functional

from netstitch.errors import DataError, FittingError, StorageError
from netstitch.matching import match
from netstitch.networks import capture
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification
from netstitch.tuning import FineTuned, FineTuneSettings, finetune_genotype, give, training_loop
from netstitch.tuning.distilling import split_samples


@pytest.fixture
def supernet() -> Supernet:
    return small_supernet()


@pytest.fixture
def task() -> Classification:
    return replace(random_task(), training=random_samples(80, 7, name="training"))


def distil(
    supernet: Supernet,
    task: Classification,
    genotype: Any,
    *,
    checkpoint: Path | None = None,
    progress: Any = None,
    **settings: Any,
) -> FineTuned:
    """Learn the ensemble's outputs with all weights, 8 times over."""
    defaults: dict[str, Any] = {"teacher": "ensemble", "trained": "all", "epochs": 8}
    chosen = FineTuneSettings(**{**defaults, "batch_size": 8, "learning_rate": 1e-2, **settings})
    return finetune_genotype(
        supernet, task, genotype, chosen, checkpoint=checkpoint, progress=progress
    )


def stitched(supernet: Supernet, output: str) -> Any:
    """A genotype with an active stitch."""
    for switch in range(len(supernet.switches)):
        genotype = supernet.genotype(output, [switch])
        if supernet.active_stitches(genotype):
            return genotype
    raise AssertionError


def distance(supernet: Supernet, genotype: Any, teacher: Any, inputs: torch.Tensor) -> float:
    """The mean divergence of a network's probabilities from the teacher's, in nats."""
    with torch.no_grad():
        ours, theirs = (supernet.subnetwork(one)(inputs) for one in (genotype, teacher))
    return float(functional.kl_div(ours.log_softmax(1), theirs.softmax(1), reduction="batchmean"))


@pytest.mark.parametrize("with_stitch", [False, True])
def test_a_network_comes_nearer_to_its_teacher_on_new_samples(
    supernet: Supernet, task: Classification, with_stitch: bool
) -> None:
    genotype = stitched(supernet, "wide") if with_stitch else supernet.genotype("wide")
    fresh = random_samples(200, 99).inputs
    teacher = supernet.genotype("ensemble")
    before = {key: tensor.clone() for key, tensor in supernet.tensors().items()}
    tuned = distil(supernet, task, genotype)
    assert all(torch.equal(before[key], tensor) for key, tensor in supernet.tensors().items())
    trained = small_supernet()
    give(trained, tuned.weights)
    was = distance(supernet, genotype, teacher, fresh)
    with torch.no_grad():
        wanted = supernet.subnetwork(teacher)(fresh)
        found = trained.subnetwork(genotype)(fresh)
    now = functional.kl_div(found.log_softmax(1), wanted.softmax(1), reduction="batchmean")
    assert float(now) < 0.5 * was


def test_losses_before_and_after_are_those_of_the_samples_held_out(
    supernet: Supernet, task: Classification
) -> None:
    genotype = supernet.genotype("wide")
    tuned = distil(supernet, task, genotype, epochs=2)
    assert tuned.held_out is not None
    assert task.training is not None
    _, held_out = split_samples(80, FineTuneSettings())
    inputs = task.training.inputs[held_out]
    assert tuned.held_out.samples == len(inputs) == 8
    was = distance(supernet, genotype, supernet.genotype("ensemble"), inputs)
    assert tuned.held_out.before == pytest.approx(was, rel=1e-4)
    assert tuned.held_out.after < tuned.held_out.before


def test_labels_have_no_part_in_it(supernet: Supernet, task: Classification) -> None:
    samples = random_samples(80, 7, name="training")
    others = replace(samples, labels=torch.zeros_like(samples.labels))
    genotype = supernet.genotype("wide")
    one, other = (
        distil(supernet, replace(task, training=each), genotype, epochs=1)
        for each in (samples, others)
    )
    assert one.losses == other.losses


def test_an_ensemble_is_trained_as_a_whole(supernet: Supernet, task: Classification) -> None:
    genotype = stitched(supernet, "ensemble")
    tuned = distil(supernet, task, genotype, trained="stitches")
    assert tuned.held_out is not None
    assert tuned.held_out.after < tuned.held_out.before
    assert tuned.weights.keys() <= supernet.stitch_weights().keys()


def test_a_rate_that_is_too_high_is_halved_and_told(
    supernet: Supernet, task: Classification
) -> None:
    told: list[str] = []

    def listen(_done: int, _total: int, text: str) -> None:
        told.append(text)

    tuned = distil(
        supernet, task, supernet.genotype("wide"), learning_rate=1e3, epochs=5, progress=listen
    )
    assert tuned.halvings > 8
    assert any(f"rate halved to {1e3 / 2**tuned.halvings:.3g}" in text for text in told)
    assert tuned.held_out is not None
    assert tuned.held_out.after < tuned.held_out.before
    assert all(torch.isfinite(tensor).all() for tensor in tuned.weights.values())


def test_a_rate_of_which_all_halves_diverge(supernet: Supernet, task: Classification) -> None:
    with pytest.raises(FittingError, match=r"diverges at all learning rates from 1e\+30 down to"):
        distil(supernet, task, supernet.genotype("wide"), learning_rate=1e30)


def test_what_does_not_improve_stays_as_it_was(supernet: Supernet, task: Classification) -> None:
    genotype = stitched(supernet, "wide")
    tuned = distil(supernet, task, genotype, teacher="wide", learning_rate=1e-30, epochs=1)
    assert tuned.held_out is not None
    assert tuned.held_out.after == tuned.held_out.before
    own = supernet.tensors()
    assert all(torch.equal(tensor, own[key]) for key, tensor in tuned.weights.items())


@pytest.mark.parametrize("rate", [1e-2, 3.0])
def test_training_that_was_stopped_goes_on_to_the_same_bits(
    supernet: Supernet, task: Classification, tmp_path: Path, rate: float
) -> None:
    genotype = supernet.genotype("wide")
    settings: dict[str, Any] = {"epochs": 3, "learning_rate": rate}
    expected = distil(supernet, task, genotype, **settings)
    path, calls = tmp_path / "p.training", 0

    def stop(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls % 4 == 0:
            raise KeyboardInterrupt

    for _ in range(100):
        try:
            found = distil(supernet, task, genotype, checkpoint=path, progress=stop, **settings)
            break
        except KeyboardInterrupt:
            assert path.exists()
    assert calls > 12
    assert found == replace(expected, weights=found.weights)
    assert all(torch.equal(found.weights[key], expected.weights[key]) for key in expected.weights)
    assert (expected.halvings > 0) == (rate == 3.0)


def test_a_kill_costs_what_came_after_the_last_minute(
    supernet: Supernet, task: Classification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed writes nothing more: what stands there is of a whole step."""
    monkeypatch.setattr(training_loop, "SAVED_EVERY", 0.0)
    genotype, path = supernet.genotype("wide"), tmp_path / "p.training"
    copies: list[bytes] = []

    def look(*_: object) -> None:
        copies.append(path.read_bytes())

    expected = distil(supernet, task, genotype, epochs=2, checkpoint=path, progress=look)
    for copy in (copies[0], copies[5], copies[-1]):
        path.write_bytes(copy)
        found = distil(supernet, task, genotype, epochs=2, checkpoint=path)
        assert found.losses == expected.losses
        assert all(
            torch.equal(found.weights[key], expected.weights[key]) for key in expected.weights
        )


def test_ctrl_c_without_a_checkpoint_gives_the_best_so_far(
    supernet: Supernet, task: Classification
) -> None:
    def stop(done: int, *_: object) -> None:
        if done == 30:
            raise KeyboardInterrupt

    tuned = distil(supernet, task, supernet.genotype("wide"), progress=stop)
    assert tuned.interrupted
    assert tuned.held_out is not None
    assert tuned.held_out.after < tuned.held_out.before


def test_the_checkpoint_of_another_training(
    supernet: Supernet, task: Classification, tmp_path: Path
) -> None:
    genotype, path = supernet.genotype("wide"), tmp_path / "p.training"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distil(supernet, task, genotype, checkpoint=path, progress=stop)
    for others in ({"seed": 2}, {"teacher": "deep"}):
        with pytest.raises(StorageError, match="of another fine-tuning"):
            distil(supernet, task, genotype, checkpoint=path, **others)
    assert task.training is not None
    inputs = task.training.inputs.clone()
    inputs[77] += 1  # all samples are compared
    changed = replace(task, training=replace(task.training, inputs=inputs))
    with pytest.raises(StorageError, match="of another fine-tuning"):
        distil(supernet, changed, genotype, checkpoint=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StorageError, match="no readable checkpoint"):
        distil(supernet, task, genotype, checkpoint=path)


def test_what_cannot_be_learned(supernet: Supernet, task: Classification) -> None:
    wide = supernet.genotype("wide")
    with pytest.raises(FittingError, match="no teacher 'ensembel'; did you mean 'ensemble'"):
        distil(supernet, task, wide, teacher="ensembel")
    with pytest.raises(FittingError, match="its own teacher, 'wide'"):
        distil(supernet, task, wide, teacher="wide")
    with pytest.raises(FittingError, match="no stitches to train"):
        distil(supernet, task, wide, trained="stitches")
    with pytest.raises(DataError, match=r"80 samples .* 8 are held out, and a batch is 73"):
        distil(supernet, task, wide, batch_size=73)
    with pytest.raises(DataError, match="no training samples"):
        distil(supernet, replace(task, training=None), wide)


def test_a_teacher_without_classes_teaches_nothing(task: Classification) -> None:
    example = task.validation.inputs[:2]
    made = [
        capture(nn.Sequential(nn.Flatten(), nn.Linear(72, 5), nn.Linear(5, 1)), example, name=name)
        for name in "ab"
    ]
    supernet = as_they_are(Supernet(made, match(*made)))
    with pytest.raises(FittingError, match=r"'ensemble' puts out \(batch, 1\).*train on labels"):
        distil(supernet, task, supernet.genotype("a"))
