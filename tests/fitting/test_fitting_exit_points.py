"""The points that exits are fitted at."""

import pytest
import torch
from exit_examples import joined, segmenters
from torch import Tensor, nn

from netstitch.fitting import exit_points as module
from netstitch.fitting.exit_points import exit_points
from netstitch.networks.module import ancestors
from netstitch.stitching.exit import Exit
from netstitch.stitching.exit_graph import exit_output, exits_graph
from netstitch.supernet.supernet import Supernet


class Branches(nn.Module):
    """A stem; two branches that do not read one another; their sum; a head."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, 1, 1)
        self.left, self.right = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 3, 1, 1)
        self.norm = nn.BatchNorm2d(width)
        self.last = nn.Conv2d(width, width, 3, 1, 1)
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        x = self.norm(self.left(x)).relu() + self.right(x).tanh()
        return self.head(self.last(x).relu().mean((2, 3)))


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    torch.manual_seed(0)
    return joined([Branches(), Branches(6)], torch.randn(2, 3, 8, 8))


def chosen(supernet: Supernet, exits: int = 99, points: int = 9) -> list[module.ExitPoint]:
    return exit_points(supernet.structure, exit_output(supernet.structure, None), exits, points)


def cost(supernet: Supernet, one: Exit) -> int:
    return exits_graph(
        supernet.structure, exit_output(supernet.structure, None), [one]
    ).multiply_adds


def test_the_last_point_of_each_cost_has_an_exit(supernet: Supernet) -> None:
    found = [each.own for each in chosen(supernet) if each.own.network == 0]
    assert [one.point for one in found] == ["relu", "relu_2", "tanh", "add"]
    assert all(cost(supernet, one) < supernet.graphs[0].multiply_adds for one in found)


def test_an_exit_reads_only_what_is_computed_for_it(supernet: Supernet) -> None:
    for each in chosen(supernet):
        assert each.so_far.point == each.own.point
        graph = supernet.graphs[each.own.network]
        assert set(each.so_far.points) <= ancestors(graph, each.own.points)
    by_point = {each.own.point: each.so_far.points for each in chosen(supernet)}
    assert by_point["tanh"] == ("relu", "tanh")
    assert by_point["add"] == ("relu", "relu_2", "tanh", "add")


def test_no_exit_reads_more_points_than_it_may(supernet: Supernet) -> None:
    by_point = {each.own.point: each.so_far.points for each in chosen(supernet, points=2)}
    assert by_point["add"] == ("tanh", "add")
    assert all(each.so_far == each.own for each in chosen(supernet, points=1))


@pytest.mark.parametrize("limit, value", [("SHARE", 1e-4), ("MOST_FEATURES", 20)])
def test_a_map_of_several_points_is_small(
    supernet: Supernet, limit: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, limit, value)
    assert all(each.so_far == each.own for each in chosen(supernet) if each.own.network == 0)


def test_fewer_exits_are_spread_over_the_cost(supernet: Supernet) -> None:
    every = sorted(cost(supernet, each.own) for each in chosen(supernet) if not each.own.network)
    few = [each.own for each in chosen(supernet, exits=2) if not each.own.network]
    assert len(few) == 2
    costs = [cost(supernet, one) for one in few]
    assert costs[1] == max(every)
    assert costs[0] < costs[1]
    assert len(chosen(supernet, exits=1)) == 2


def test_of_maps_each_exit_reads_its_own_point() -> None:
    supernet = segmenters()
    found = exit_points(supernet.structure, exit_output(supernet.structure, "out"), 99, 9)
    assert found
    assert all(each.so_far == each.own and len(each.own.points) == 1 for each in found)
