"""A training goes on from its checkpoint to the bit; files of another one are refused."""

from pathlib import Path

import pytest
import torch
from torch import nn

from netstitch.errors import StorageError
from netstitch.files.checkpoint import (
    TrainingCheckpoint,
    fingerprint_of,
    restore_training,
    training_tensors,
)
from netstitch.files.documents import Count, Document


class Steps(Document):
    step: Count


def checkpoint(folder: Path, mark: str = "of this") -> TrainingCheckpoint:
    return TrainingCheckpoint(folder / "state", "form-1", "training", mark)


def trained() -> tuple[dict[str, nn.Parameter], torch.optim.Adam]:
    parameters = {"a": nn.Parameter(torch.ones(3)), "b": nn.Parameter(torch.zeros(2))}
    return parameters, torch.optim.Adam(parameters.values(), lr=0.1)


def descend(parameters: dict[str, nn.Parameter], optimizer: torch.optim.Adam) -> None:
    optimizer.zero_grad()
    torch.autograd.backward((parameters["a"] ** 2).sum())  # no gradient reaches b
    optimizer.step()


def test_a_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    parameters, optimizer = trained()
    descend(parameters, optimizer)
    file = checkpoint(tmp_path)
    assert not file.exists()
    file.write({"step": 1}, training_tensors(parameters, optimizer))
    descend(parameters, optimizer)

    again, own = trained()
    with file.reading(Steps) as (state, tensors):
        restore_training(again, own, tensors)
    assert file.exists()
    assert state.step == 1
    assert again["b"] not in own.state
    descend(again, own)
    assert all(torch.equal(again[key], parameters[key]) for key in parameters)


def test_what_is_of_another_training_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path).write({"step": 1}, {})
    with (
        pytest.raises(StorageError, match=r"is the checkpoint of another training .*remove it"),
        checkpoint(tmp_path, "of that").reading(Steps),
    ):
        pass


@pytest.mark.parametrize("part", [0, 0.5, 0.99])
def test_half_a_file_is_refused(tmp_path: Path, part: float) -> None:
    file = checkpoint(tmp_path)
    file.write({"step": 1}, {"a": torch.ones(9)})
    content = file.path.read_bytes()
    file.path.write_bytes(content[: int(part * len(content))])
    with (
        pytest.raises(StorageError, match=r"is no readable checkpoint .*remove it to start anew"),
        file.reading(Steps),
    ):
        pass


@pytest.mark.parametrize("document", [{}, {"step": -1}, {"step": "1"}])
def test_another_document_is_refused(tmp_path: Path, document: dict[str, object]) -> None:
    file = checkpoint(tmp_path)
    file.write(document, {})
    with pytest.raises(StorageError, match=r"no readable checkpoint .*'?step"), file.reading(Steps):
        pass


def test_tensors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    parameters, optimizer = trained()
    file = checkpoint(tmp_path)
    file.write({"step": 1}, {"value/a": torch.ones(4), "value/b": torch.zeros(2)})
    with (
        pytest.raises(StorageError, match="no readable checkpoint"),
        file.reading(Steps) as (_, tensors),
    ):
        restore_training(parameters, optimizer, tensors)


def test_fingerprints_are_of_settings_types_and_bits() -> None:
    first = fingerprint_of({"a": 1, "b": 2}, [torch.ones(3)])
    assert first == fingerprint_of({"b": 2, "a": 1}, [torch.ones(3)])
    others = [
        fingerprint_of({"a": 1}, [torch.ones(3)]),
        fingerprint_of({"a": 1, "b": 2}, [torch.ones(3, 1)]),
        fingerprint_of({"a": 1, "b": 2}, [torch.ones(3) + 1e-7]),
        fingerprint_of({"a": 1, "b": 2}, [torch.ones(3).double()]),
    ]
    assert len({first, *others}) == 5
