"""Exits fitted to the ensemble: which are kept, what they put out, and what is told."""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from exit_examples import Mixer, exit_outputs, joined, plainly, segmenters
from small_supernets import SIZE, Small, small_supernet
from torch import Tensor, nn

from netstitch.errors import FittingError, StitchingError
from netstitch.events import Advanced, Event, Message
from netstitch.fitting import exits as module
from netstitch.fitting.exits import _surely_less
from netstitch.stitching.exit import Exit, exit_key
from netstitch.supernet.supernet import Supernet
from netstitch.threads import batch_workers


def images(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 2, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    made = small_supernet()
    made.fit_exits(images(600).split(50))
    return made


def nats(supernet: Supernet, one: Exit, inputs: Tensor) -> float:
    targets = supernet(inputs, supernet.genotype("ensemble")).softmax(1)
    outputs = supernet(inputs, one)
    return float(-(targets * outputs.log_softmax(1)).sum(1).mean())


def test_exits_put_out_nearly_what_the_ensemble_does(supernet: Supernet) -> None:
    report, other = supernet.exit_report, images(200, 1)
    assert report is not None
    assert report.samples == 600
    assert report.held_out == 120
    assert report.rows
    for one in supernet.exits:
        [row] = [row for row in report.rows if row.exit == one]
        assert report.least < row.nats < report.constant
        assert nats(supernet, one, other) == pytest.approx(row.nats, abs=0.05)
        assert nats(supernet, one, other) < report.constant
        assert row.multiply_adds == supernet.macs(one)


def test_weights_are_of_the_least_loss_that_there_is(supernet: Supernet) -> None:
    """Nothing nearby is better on the samples fitted on, but for the penalty."""
    inputs = images(600)
    targets = supernet(inputs, supernet.genotype("ensemble")).softmax(1)
    one = supernet.exits[-1]
    key = exit_key(supernet.names, one)

    def loss() -> float:
        logits = plainly(supernet, one, inputs).double()
        return float(-(targets * logits.log_softmax(1)).sum(1).mean())

    best = loss()
    generator = torch.Generator().manual_seed(0)
    for part in ("weight", "bias"):
        tensor = supernet.exit_weights()[f"{key}.{part}"]
        before = tensor.clone()
        for _ in range(5):
            change = torch.randn(tensor.shape, generator=generator)
            tensor.copy_(before + 0.05 * before.abs().mean() * change)
            assert loss() > best - 1e-3
        tensor.copy_(before)


def test_dearer_exits_of_a_network_are_kept_where_they_are_better(supernet: Supernet) -> None:
    assert supernet.exit_report is not None
    for network in range(2):
        rows = [row for row in supernet.exit_report.rows if row.exit.network == network]
        least = float("inf")
        for row in sorted(rows, key=lambda row: row.multiply_adds):
            assert row.fate == ("kept" if row.nats < least else "dominated")
            least = min(least, row.nats)
    kept = [row.exit for row in supernet.exit_report.rows if row.fate == "kept"]
    assert tuple(kept) == supernet.exits
    [head, *rows] = supernet.exit_report.table()
    assert {len(row) for row in rows} == {len(head)}


@pytest.mark.parametrize("cores", [1, 3])
def test_bits_are_equal_on_any_number_of_cores(
    supernet: Supernet, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "available_cores", lambda: cores)
    again = small_supernet()
    again.fit_exits(images(600).split(50))
    assert again.exits == supernet.exits
    first, second = supernet.exit_weights(), again.exit_weights()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_fewer_exits_are_fitted_at_once_where_memory_is_short(
    supernet: Supernet, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    @contextmanager
    def workers(count: int) -> Iterator[ThreadPoolExecutor]:
        asked.append(count)
        with batch_workers(count) as pool:
            yield pool

    monkeypatch.setattr(module, "available_cores", lambda: 4)
    monkeypatch.setattr(module, "batch_workers", workers)
    small_supernet().fit_exits(images(600).split(50))
    monkeypatch.setattr(module, "working_bytes", lambda count, features, classes: 900_000_000)
    small_supernet().fit_exits(images(600).split(50))
    assert asked == [4, 4, 4, 2]


def test_progress_is_told_in_batches_and_then_in_exits() -> None:
    told: list[Event] = []
    supernet = small_supernet()
    report = supernet.fit_exits(images(100).split(20), listener=told.append)
    steps = [event for event in told if isinstance(event, Advanced)]
    reading = [event.done for event in steps if event.text == "reading features for exits"]
    fitting = [(e.done, e.total) for e in steps if e.text == "fitting exits"]
    assert reading == [1, 2, 3, 4, 5]
    assert fitting == [(i + 1, len(report.rows)) for i in range(len(report.rows))]


class Chaos(nn.Module):
    """Outputs of which no linear map of features can tell anything."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, width, 3), nn.Conv2d(width, width, 3)
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.first(x).relu()).relu()
        return (1e3 * self.head(x.mean((2, 3)))).sin() * 9


def test_exits_that_samples_do_not_support_are_left_out_and_told_once() -> None:
    torch.manual_seed(0)
    supernet, batches = joined([Chaos(4), Chaos(6)], images(2)), [images(60)]
    with pytest.warns(UserWarning, match="are left out, since on 12 held-out samples") as told:
        report = supernet.fit_exits(batches)
    assert len(told) == 1
    assert report.count("unsupported") > 0
    assert len(supernet.exits) == report.count("kept")
    messages: list[Event] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        supernet.fit_exits(batches, listener=messages.append)
    assert [m.warning for m in messages if isinstance(m, Message)] == [True]


def test_networks_may_be_too_short_for_exits() -> None:
    supernet = joined([Mixer(4), Mixer(6)], torch.randn(2, 5, 6))  # tokens are no points
    with pytest.warns(UserWarning, match="no exit costs less than its network"):
        supernet.fit_exits([torch.randn(60, 5, 6)])
    assert supernet.exits == ()


def test_a_mean_is_less_where_it_is_so_by_more_than_chance() -> None:
    others = torch.ones(50)
    assert _surely_less(others - 0.1, others)
    assert not _surely_less(others, others)
    wild = torch.cat([torch.full((25,), 10.0), torch.full((25,), -8.01)])
    assert not _surely_less(wild, others)


def test_memory_holds_some_of_the_samples_and_that_is_told() -> None:
    supernet = small_supernet()
    with pytest.warns(UserWarning, match="exits were fitted on 1[0-9]+ samples, since features"):
        supernet.fit_exits(images(600).split(50), memory_budget=30_000)


def test_exits_of_segmentation_learn_classes_of_pixels() -> None:
    supernet = segmenters()
    inputs = torch.randn(64, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    report = supernet.fit_exits(inputs.split(16), output="out")
    assert supernet.exits
    targets = supernet(inputs, supernet.genotype("ensemble"))["out"].softmax(1)
    for one, found in zip(supernet.exits, exit_outputs(supernet, inputs), strict=True):
        [row] = [row for row in report.rows if row.exit == one]
        own = float(-(targets * found.log_softmax(1)).sum(1).mean())
        assert own == pytest.approx(row.nats, abs=0.05)
        assert own < report.constant


def test_exits_of_networks_that_put_out_probabilities_put_out_such() -> None:
    torch.manual_seed(0)
    models = [nn.Sequential(Small(width), nn.Softmax(1)) for width in (3, 4)]
    supernet, inputs = joined(models, images(2)), images(300)
    report = supernet.fit_exits([inputs])
    ensemble = supernet(inputs, supernet.genotype("ensemble"))
    assert supernet.exits
    for one, found in zip(supernet.exits, exit_outputs(supernet, inputs), strict=True):
        [row] = [row for row in report.rows if row.exit == one]
        assert found.sum(1).allclose(torch.ones(300))
        own = float(-(ensemble * found.log()).sum(1).mean())
        assert own == pytest.approx(row.nats, abs=0.05)


@pytest.mark.parametrize(
    "batches, settings, message",
    [
        ([], {}, "the batches hold no samples"),
        (images(3).split(2), {}, "the batches hold 3 samples: measuring errors on 0.2 of them"),
        (images(9), {}, "the batches are one tensor"),
        ([images(9)], {"exit": 3}, "exits has no setting 'exit'; did you mean 'exits'"),
        ([images(9)], {"holdout": 0.9}, "holdout is 0.9; expected 0.5 or less"),
        ([images(9)], {"points": 0}, "points is 0; expected 1 or more"),
        ([images(9) / 0], {}, "batch 1 holds NaN or infinity"),
        ([images(9)[..., 1:]], {}, "batch 1 has shape"),
    ],
)
def test_bad_input(batches: Any, settings: Any, message: str) -> None:
    supernet = small_supernet()
    with pytest.raises(FittingError, match=message):
        supernet.fit_exits(batches, **settings)
    assert supernet.exits == ()
    assert supernet.exit_report is None


def test_of_several_outputs_one_is_named() -> None:
    supernet = small_supernet(keys=True)
    with pytest.raises(StitchingError, match="outputs are 'out', 'aux'; name the one"):
        supernet.fit_exits([images(9)])
    report = supernet.fit_exits([images(200)], output="aux")
    assert report.output == "aux"
    assert set(supernet.subnetwork(supernet.exits[0])(images(2))) == {"aux"}
