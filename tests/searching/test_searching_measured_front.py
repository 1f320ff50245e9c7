"""The front as it is measured: networks and exits together, against the references."""

from pathlib import Path

import numpy as np
import pytest
from exit_examples import with_exits
from small_supernets import plainly, random_task, small_supernet, three_networks

from netstitch.analysis.front import front_from_json
from netstitch.costs import PARAMETERS
from netstitch.evaluation import NumericsConfig
from netstitch.optimization import Solution
from netstitch.searching.measured_front import largest_difference, measure_front
from netstitch.supernet.supernet import Supernet

FORM = NumericsConfig(False, batch=8, workers=1)


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return with_exits(small_supernet())


def test_exits_are_points_of_the_front(supernet: Supernet, tmp_path: Path) -> None:
    task = random_task()
    networks = list(supernet.references().values())
    front = measure_front(supernet, task, [*networks, *supernet.exits], FORM)
    own = [point for point in front if point.exit is not None]
    assert own
    for point in own:
        assert point.exit in supernet.exits
        assert point.subnetwork == point.exit
        name = supernet.names[point.exit.network]
        assert (point.output, point.stitches) == (name, 0)
        assert point.genotype == tuple(supernet.genotype(name).tolist())
        assert (point.multiply_adds, point.parameters) == (
            supernet.macs(point.exit),
            supernet.parameters_of(point.exit),
        )
        for part, samples in (("validation", task.validation), ("test", task.test)):
            assert samples is not None
            outputs = plainly(supernet, point.exit, samples.inputs, FORM)
            right = task.correct(outputs, samples.labels)
            assert point.accuracy(part) == int(right.sum()) / len(samples)
        assert point.test_difference is not None
    front.to_json(tmp_path / "front.json")
    assert front_from_json((tmp_path / "front.json").read_bytes()) == front


def test_dominated_exits_are_no_points(supernet: Supernet) -> None:
    front = measure_front(supernet, random_task(), supernet.exits, FORM)
    costs = [point.cost for point in front]
    scores = [point.validation for point in front]
    assert costs == sorted(costs)
    assert scores == sorted(set(scores))
    assert len(front) < len(supernet.exits)


def test_the_cost_is_the_fronts(supernet: Supernet) -> None:
    exits = supernet.exits[:3]
    front = measure_front(supernet, random_task(), exits, FORM, cost=PARAMETERS)
    assert all(point.cost == supernet.parameters_of(point.subnetwork) for point in front)


def test_where_no_output_is_one_network_the_smallest_with_it_stands_for_it() -> None:
    plain = three_networks()
    supernet = Supernet(list(plain.networks), plain.matching, outputs=[(0, 1, 2), (1, 2)])
    supernet = with_exits(supernet)
    exits = [one for one in supernet.exits if one.network == 1][:1]
    [point] = measure_front(supernet, random_task(), exits, FORM)
    assert (point.output, point.genotype[-1]) == ("net1", 1)


def test_an_exit_is_not_taken_for_the_network_that_the_search_saw(supernet: Supernet) -> None:
    front = measure_front(supernet, random_task(), supernet.exits, FORM)
    exits = [point for point in front if point.exit is not None]
    by_name = {point.label: point for point in front.references}
    assert any(point.validation != by_name[point.output].validation for point in exits)
    found = [
        Solution(np.array(point.genotype), (point.validation, point.cost))
        for point in front.references
    ]
    assert largest_difference(front, found) == 0
