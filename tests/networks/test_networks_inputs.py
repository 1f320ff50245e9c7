"""One rule says which inputs networks take, wherever these come from."""

from typing import Any

import numpy as np
import pytest
import torch
from networks_examples import TinyCNN, images, message, rows
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from netstitch.errors import FittingError
from netstitch.networks import Network, capture
from netstitch.networks.inputs import check_inputs, fitting_batches, read_batches
from netstitch.networks.network_files import load_network, write_network


class OfSequences(nn.Module):
    """A mean over steps, or only some of them; (n, t, 4) -> (n, 3)."""

    def __init__(self, unrolled: bool = False) -> None:
        super().__init__()
        self.head, self.unrolled = nn.Linear(4, 3), unrolled

    def forward(self, x: Tensor) -> Tensor:
        if not self.unrolled:
            return self.head(x.mean(1))
        return self.head(torch.stack([x[:, step] for step in range(x.shape[1])]).sum(0))


def sequences(length: int) -> Tensor:
    return torch.randn(2, length, 4, generator=torch.Generator().manual_seed(length))


def check(network: Network, shape: tuple[int, ...]) -> None:
    check_inputs([network.graph], shape, "batch 1", FittingError)


@pytest.fixture(scope="module")
def network() -> Network:
    return capture(TinyCNN(), images())


def test_batches_of_any_size_are_taken(network: Network) -> None:
    for count in (0, 1, 9):
        check(network, (count, 3, 8, 8))


@pytest.mark.parametrize("shape", [(4, 3, 16, 16), (4, 3, 8, 16), (4, 1, 8, 8), (4, 192), (4,)])
def test_other_sizes_name_both_shapes(network: Network, shape: tuple[int, ...]) -> None:
    with pytest.raises(FittingError) as caught:
        check(network, shape)
    text = message(caught.value)
    assert str(shape) in text
    assert "(batch, 3, 8, 8)" in text


def test_a_sample_is_told_from_a_batch(network: Network) -> None:
    with pytest.raises(FittingError, match="that is one sample"):
        check(network, (3, 8, 8))


def test_sequences_of_another_length_are_taken_where_they_compute_the_same(tmp_path: Any) -> None:
    network = capture(OfSequences(), sequences(5))
    write_network(network, tmp_path)
    for each in (network, load_network(tmp_path)):
        check(each, (2, 9, 4))
    with pytest.raises(FittingError, match=r"\(batch, 5, 4\)"):
        check(network, (2, 5, 3))


def test_a_loop_over_steps_fixes_their_number() -> None:
    """It would read only the first steps of longer sequences, without a word."""
    with pytest.raises(FittingError, match=r"\(2, 9, 4\), .* captured for \(batch, 5, 4\)"):
        check(capture(OfSequences(unrolled=True), sequences(5)), (2, 9, 4))


def test_what_is_read_of_batches() -> None:
    x, y = rows(6), torch.arange(6)
    loader = DataLoader(TensorDataset(x, y), batch_size=4)
    found = list(read_batches(loader, FittingError))
    assert [(number, len(values), len(rest)) for number, values, rest in found] == [
        (1, 4, 1), (2, 2, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        (rows(64), r"one tensor of shape (64, 4); expected several: give tensor.split(64)"),
        (None, "the batches are a NoneType; expected a list"),
        (3, "the batches are a int"),
        (rows, "the batches are a function"),
        ((rows(8), torch.arange(8)), "if these are labels, give [(inputs, labels)]"),
        ([np.zeros((2, 4))], "batch 1 is a ndarray: .* torch.from_numpy"),
        ([{"image": rows()}], "batch 1 is a dict: .* batch['image']"),
        ([rows().long()], "batch 1 has dtype int64"),
        ("training", "batch 1 is a str"),
    ],
)
def test_what_is_no_batches_is_named(batches: Any, expected: str) -> None:
    with pytest.raises(FittingError) as caught:
        list(read_batches(batches, FittingError))
    text = message(caught.value)
    for part in expected.split(" .* "):
        assert part in text


def test_checked_batches_can_be_read_as_often_as_before(network: Network) -> None:
    given = [images(2), images(3)]
    several = fitting_batches([network.graph], given, FittingError)
    assert [len(batch[0]) for _ in range(2) for batch in several] == [2, 3, 2, 3]
    assert len(several) == 2  # type: ignore[arg-type]
    once = fitting_batches([network.graph], iter(given), FittingError)
    assert [len(batch[0]) for _ in range(2) for batch in once] == [2, 3]


def test_checked_batches_are_of_the_networks_type(network: Network) -> None:
    doubled = fitting_batches([network.graph], [images().double()], FittingError, torch.float32)
    with pytest.raises(FittingError, match=r"batch 1 is float64, .*float32; convert .*\.float\(\)"):
        list(doubled)
