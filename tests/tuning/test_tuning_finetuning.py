"""Fine-tuning: gradients of both branches, and nothing else changes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_supernets import as_they_are, random_task, small_supernet
from torch import nn
from torch.nn import functional

from netstitch.errors import DataError, FittingError, StitchingError, StorageError
from netstitch.fitting.refinement.behaviour_losses import against_labels
from netstitch.matching import match
from netstitch.networks import capture
from netstitch.networks.module import build_module
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification
from netstitch.tuning import finetuning, training_loop
from netstitch.tuning.trained_weights import FineTuned, give
from netstitch.tuning.tuning_settings import FineTuneSettings, Trained


def finetune(
    supernet: Supernet,
    task: Classification,
    genotype: Any,
    *,
    checkpoint: Path | None = None,
    progress: Any = None,
    **settings: Any,
) -> FineTuned:
    """Fine-tune, its settings given by name."""
    chosen = FineTuneSettings(**settings)
    return finetuning.finetune_genotype(
        supernet, task, genotype, chosen, checkpoint=checkpoint, progress=progress
    )


@pytest.fixture
def supernet() -> Supernet:
    return small_supernet()


@pytest.fixture
def task() -> Classification:
    plain = random_task()
    return Classification(
        validation=plain.validation, training=plain.validation, classes=plain.classes
    )


def stitched(supernet: Supernet, output: str) -> list[int]:
    """A genotype with active stitches."""
    for switch in range(len(supernet.switches)):
        genotype = supernet.genotype(output, [switch])
        if supernet.active_stitches(genotype):
            return genotype.tolist()
    raise AssertionError


def test_stitches_that_were_never_fitted_are_not_trained(
    supernet: Supernet, task: Classification
) -> None:
    unfitted = Supernet(list(supernet.networks), supernet.matching)  # type: ignore[arg-type]
    with pytest.raises(StitchingError, match="the stitches were never fitted"):
        finetune(unfitted, task, stitched(unfitted, "ensemble"))


def test_networks_that_end_in_probabilities_are_not_trained(task: Classification) -> None:
    class Soft(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Flatten(), nn.Linear(72, 5), nn.Linear(5, 3), nn.Softmax(1))

    example = task.validation.inputs[:2]
    made = [capture(Soft(), example, name=name) for name in "ab"]
    supernet = as_they_are(Supernet(made, match(*made)))
    with pytest.raises(FittingError, match='outputs = "probabilities"'):
        finetune(supernet, task, supernet.genotype("ensemble"), trained="all")


@pytest.mark.parametrize("output", ["ensemble", 0])
def test_one_step_is_that_of_the_sum_of_the_branches_losses(
    supernet: Supernet, task: Classification, output: str | int
) -> None:
    genotype = stitched(supernet, output)  # type: ignore[arg-type]
    count = len(task.validation)
    tuned = finetune(supernet, task, genotype, learning_rate=1e-2, batch_size=count)
    own = {key: tensor.clone() for key, tensor in supernet.tensors().items()}
    for key in tuned.weights:
        own[key] = torch.nn.Parameter(own[key])
    outputs = [0, 1] if output == "ensemble" else [0]
    for each in outputs:
        branch = build_module(supernet.pruned_graph([*genotype[:-1], each]), own)
        loss = functional.cross_entropy(branch(task.validation.inputs), task.validation.labels)
        if loss.requires_grad:
            loss.backward()
    for key, after in tuned.weights.items():
        gradient = own[key].grad
        before = supernet.tensors()[key]
        assert gradient is not None
        # Adam's first step has the length of the learning rate, against the gradient's sign.
        moved = (after - before) / 1e-2
        large = gradient.abs() > 1e-5
        torch.testing.assert_close(moved[large], -gradient.sign()[large], atol=1e-2, rtol=0)


def test_the_loss_falls_and_only_what_is_trained_changes(
    supernet: Supernet, task: Classification
) -> None:
    genotype = stitched(supernet, "ensemble")
    before = {key: tensor.clone() for key, tensor in supernet.tensors().items()}
    long = finetune(supernet, task, genotype, trained="all", epochs=40, learning_rate=0.03)
    epoch = len(long.losses) // 40
    assert sum(long.losses[-epoch:]) < 0.95 * sum(long.losses[:epoch])
    tuned = finetune(supernet, task, genotype, learning_rate=1e-2)
    assert all(torch.equal(tensor, before[key]) for key, tensor in supernet.tensors().items())
    stitches = supernet.stitch_weights()
    assert tuned.weights.keys() <= stitches.keys()
    everything = finetune(supernet, task, genotype, trained="all")
    assert tuned.weights.keys() < everything.weights.keys()
    assert not any("running" in key for key in everything.weights)
    give(supernet, tuned.weights)
    changed = {k for k, tensor in supernet.tensors().items() if not torch.equal(tensor, before[k])}
    assert changed == set(tuned.weights)


def test_equal_seeds_give_equal_bits(supernet: Supernet, task: Classification) -> None:
    genotype = stitched(supernet, "ensemble")
    one, same, other = (finetune(supernet, task, genotype, seed=s, batch_size=8) for s in (1, 1, 2))
    assert all(torch.equal(one.weights[key], same.weights[key]) for key in one.weights)
    assert one.losses == same.losses != other.losses


def test_an_interruption_keeps_what_there_is(supernet: Supernet, task: Classification) -> None:
    def stop(done: int, total: int, text: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    genotype = stitched(supernet, "ensemble")
    tuned = finetune(supernet, task, genotype, batch_size=8, epochs=5, progress=stop)
    assert tuned.interrupted
    assert len(tuned.losses) == 2


@pytest.mark.parametrize("trained", ["stitches", "all"])
def test_training_that_was_stopped_goes_on_to_the_same_bits(
    supernet: Supernet, task: Classification, tmp_path: Path, trained: Trained
) -> None:
    genotype = stitched(supernet, "ensemble")
    settings: dict[str, Any] = {"trained": trained, "batch_size": 8, "epochs": 4}
    expected = finetune(supernet, task, genotype, **settings)
    path, stops = tmp_path / "p.training", iter([3, 4, 9])

    def tune() -> FineTuned:
        at = next(stops, None)

        def stop(done: int, _total: int, _text: str) -> None:
            if done == at:
                raise KeyboardInterrupt

        return finetune(supernet, task, genotype, checkpoint=path, progress=stop, **settings)

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            tune()
    found = tune()
    assert found.losses == expected.losses
    assert all(torch.equal(found.weights[key], expected.weights[key]) for key in expected.weights)


def test_a_kill_costs_what_came_after_the_last_minute(
    supernet: Supernet, task: Classification, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed writes nothing more: what stands there is of a whole step."""
    monkeypatch.setattr(training_loop, "SAVED_EVERY", 0.0)
    genotype, path = stitched(supernet, "ensemble"), tmp_path / "p.training"
    copies: list[bytes] = []

    def look(_done: int, _total: int, _text: str) -> None:
        copies.append(path.read_bytes())

    expected = finetune(
        supernet, task, genotype, batch_size=8, epochs=2, checkpoint=path, progress=look
    )
    path.write_bytes(copies[2])
    found = finetune(supernet, task, genotype, batch_size=8, epochs=2, checkpoint=path)
    assert found.losses == expected.losses
    assert all(torch.equal(found.weights[key], expected.weights[key]) for key in expected.weights)


def test_the_checkpoint_of_another_training(
    supernet: Supernet, task: Classification, tmp_path: Path
) -> None:
    genotype, path = stitched(supernet, "ensemble"), tmp_path / "p.training"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(supernet, task, genotype, checkpoint=path, progress=stop)
    with pytest.raises(StorageError, match="of another fine-tuning"):
        finetune(supernet, task, genotype, checkpoint=path, seed=2)
    assert task.training is not None
    inputs = task.training.inputs.clone()
    inputs[-1] += 1  # all samples are compared
    changed = replace(task, training=replace(task.training, inputs=inputs))
    with pytest.raises(StorageError, match="of another fine-tuning"):
        finetune(supernet, changed, genotype, checkpoint=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StorageError, match="no readable checkpoint"):
        finetune(supernet, task, genotype, checkpoint=path)


def test_what_cannot_be_trained(supernet: Supernet, task: Classification) -> None:
    genotype = supernet.genotype()
    with pytest.raises(FittingError, match="no stitches to train"):
        finetune(supernet, task, genotype)
    with pytest.raises(DataError, match="no training samples"):
        finetune(supernet, replace(task, training=None), genotype)
    with pytest.raises(FittingError, match="batch_size is 0; expected 1 or more"):
        finetune(supernet, task, genotype, trained="all", batch_size=0)
    with pytest.raises(FittingError, match="diverged"):
        finetune(supernet, task, genotype, trained="all", learning_rate=1e30, epochs=3)
    with pytest.raises(FittingError, match=r"learning_rate is 1e\+38; expected 1e\+36 or less"):
        finetune(supernet, task, genotype, trained="all", learning_rate=1e38)


def test_a_task_without_a_loss_for_training(supernet: Supernet, task: Classification) -> None:
    class Counted(Classification):
        training_loss = None  # type: ignore[assignment]

    counted = Counted(validation=task.validation, training=task.training, classes=task.classes)
    with pytest.raises(DataError, match="a Counted has no method training_loss; expected one"):
        finetune(supernet, counted, stitched(supernet, supernet.names[0]))


def test_what_diverges_in_the_last_step_is_seen_in_the_weights(
    supernet: Supernet, task: Classification, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(self: torch.optim.Adam, closure: object = None) -> None:
        with torch.no_grad():
            self.param_groups[0]["params"][0].fill_(torch.nan)

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    genotype = stitched(supernet, "ensemble")
    with pytest.raises(FittingError, match="diverged in step 1 of 1"):
        finetune(supernet, task, genotype, batch_size=len(task.validation))


def test_a_batch_of_pixels_that_do_not_count_teaches_nothing() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = against_labels({None: logits}, torch.full((2, 4, 4), 255, dtype=torch.uint8))
    torch.autograd.backward(loss)
    assert float(loss) == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()
