"""The supernet that a run makes of its matched networks."""

from functools import cache
from typing import Any

import pytest
import torch
from small_supernets import SIZE, Small, random_samples, random_task

import netstitch as ns
from netstitch.errors import NetstitchError, StitchingError
from netstitch.events import Message, StageBegan
from netstitch.experiments import RunSettings
from netstitch.matching import Matching
from netstitch.networks import Network
from netstitch.runs.supernet_step import join_networks
from netstitch.supernet.supernet import Supernet
from netstitch.tasks.agreement import agreement

TRAINING = random_samples(60, 4, name="training")


@cache
def captured() -> tuple[Network, ...]:
    torch.manual_seed(7)
    example = torch.randn(2, 2, SIZE, SIZE)
    return tuple(ns.capture(Small(w), example, name=f"Net-{w}") for w in range(3, 11))


@cache
def matched(count: int) -> tuple[tuple[Network, ...], Matching]:
    networks = captured()[:count]
    return networks, ns.match(*networks)


def join(
    count: int, dry: bool = False, task: Any = None, **keys: Any
) -> tuple[Supernet, list[str]]:
    told: list[str] = []

    def listener(event: object) -> None:
        if isinstance(event, Message | StageBegan):
            told.append(str(event))

    networks, matching = matched(count)
    settings = RunSettings(supernet=keys)
    training = None if dry else TRAINING
    made = join_networks(networks, matching, task or random_task(), training, settings, listener)
    return made, told


def stitches_to(made: Supernet) -> list[int]:
    targets = [stitch.target for stitch in made.stitches]
    return [targets.count(target) for target in dict.fromkeys(targets)]


def test_two_and_three_networks_have_all_stitches_and_pairs() -> None:
    made, told = join(2)
    assert made.outputs == ("net_3", "net_4", "ensemble")
    assert told == []
    made, _ = join(3)
    assert max(stitches_to(made)) == 2
    assert len(made.stitches) == sum(len(m.members) * (len(m.members) - 1) for m in made.matching)
    assert len(made.outputs) == 7


def test_four_networks_have_two_stitches_to_a_point_by_default() -> None:
    made, told = join(4)
    assert set(stitches_to(made)) == {2}
    assert len(made.outputs) == 4 + 6 + 1
    every = sum(len(m.members) * (len(m.members) - 1) for m in made.matching)
    assert any(f"{len(made.stitches)} of {every} stitches are made" in line for line in told)
    every_one, _ = join(4, sources=3)
    assert len(every_one.stitches) == every
    # In a dry run they are the cheapest.
    assert len(join(4, dry=True)[0].stitches) == len(made.stitches)


def test_outputs_of_five_networks_are_greedy_unless_they_are_listed() -> None:
    made, told = join(5)
    assert made.outputs[:5] == ("net_3", "net_4", "net_5", "net_6", "net_7")
    assert made.outputs[-1] == "ensemble"
    assert len(made.outputs) < 5 + 10 + 1
    assert any("choose ensembles" in line for line in told)
    listed, _ = join(5, outputs=[["Net-3"], ["net_4", "Net-7"]])
    assert listed.outputs == ("net_3", "net_4+net_7")
    assert len(join(5, outputs="pairs")[0].outputs) == 16
    assert len(join(5, dry=True)[0].outputs) == 6


def test_weights_are_listed_or_fitted() -> None:
    assert join(2)[0].averaging.weights is None
    assert join(2, weights=[1, 3])[0].averaging.weights == (1.0, 3.0)
    made, told = join(2, weights="fitted")
    assert made.averaging.weights is not None
    assert sum(made.averaging.weights) == pytest.approx(1, abs=1e-5)
    assert any("weights in ensembles: Net-3 0." in line for line in told)


@pytest.mark.parametrize(
    "keys, reason",
    [
        ({"outputs": [["Net-3"], ["net"]]}, "name the network 'net', which is none; did you mean"),
        ({"outputs": []}, "expected one or more lists of names"),
        ({"outputs": [[]]}, "[] of the outputs is no set of networks"),
        ({"outputs": [["net_3"], ["Net-3"]]}, "['Net-3'] is twice among the outputs"),
        ({"outputs": "each"}, "'outputs' in [supernet] is 'each'; expected 'pairs', 'greedy', or"),
        ({"outputs": [[0]]}, "expected 'pairs', 'greedy', or a list of lists of names"),
        ({"weights": [1.0, -1.0, 1.0]}, "expected 'equal', 'fitted', or a list of a positive"),
        ({"weights": [0.0, 0.0, 0.0]}, "expected 'equal', 'fitted', or a list of a positive"),
        ({"weights": [1.0, 2.0]}, "ensemble weights (1.0, 2.0) do not fit 3 networks"),
        ({"weights": "best"}, "'weights' in [supernet] is 'best'; expected 'equal', 'fitted', or"),
        ({"sources": 0}, "'sources' in [supernet] is 0; expected 1 or more"),
        ({"memory_budget": 9_000}, "takes about"),
    ],
)
def test_bad_input_is_one_line_before_the_work(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(NetstitchError) as caught:
        join(3, **keys)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_agreement_is_with_networks_that_count_alike() -> None:
    networks, _ = matched(2)
    task = agreement(networks, validation=random_samples(20))
    with pytest.raises(StitchingError, match="leave weights out"):
        join(2, task=task, weights=[1, 2])


def test_eight_networks_beyond_memory_are_told_what_to_leave_out() -> None:
    with pytest.raises(StitchingError) as caught:
        join(8, memory_budget=20_000)
    line = str(caught.value)
    assert line.startswith(
        "a supernet of net_3, net_4, net_5, net_6, net_7, net_8, net_9 and net_10"
    )
    assert "memory_budget is 20 kB: leave out net_10" in line
    assert "or let fewer stitches go to a point (sources), or raise memory_budget" in line
