"""Costs beyond earlier stages: sums over sets of contents against asking for each union."""

from itertools import permutations

import numpy as np
import pytest
from small_supernets import three_networks

from netstitch.cascades.measured_cascades import costs_along
from netstitch.cascades.stage_costs import AskedCosts, SummedCosts, stage_costs
from netstitch.costs import COSTS, Cost


@pytest.fixture(scope="module", params=COSTS.values(), ids=COSTS)
def both(request: pytest.FixtureRequest) -> tuple[SummedCosts, AskedCosts]:
    supernet, random = three_networks(), np.random.default_rng(0)
    genotypes = random.integers(0, supernet.cardinalities, (6, len(supernet.cardinalities)))
    chosen = [tuple(one.tolist()) for one in (*supernet.references().values(), *genotypes)]
    fast = stage_costs(supernet, request.param, chosen)
    assert isinstance(fast, SummedCosts)
    return fast, AskedCosts(supernet, request.param, chosen)


def test_costs_beyond_earlier_stages_are_those_of_unions(
    both: tuple[SummedCosts, AskedCosts],
) -> None:
    fast, slow = both
    np.testing.assert_allclose(fast.whole, slow.whole)
    for first in range(len(fast.whole)):
        np.testing.assert_allclose(fast.beyond([first]), slow.beyond([first]))
    for pair in permutations(range(5), 2):
        np.testing.assert_allclose(fast.beyond(pair), slow.beyond(pair))
        np.testing.assert_allclose(fast.beyond_each(*pair), slow.beyond_each(*pair))
        np.testing.assert_allclose(fast.along((*pair, 7)), slow.along((*pair, 7)))


def test_a_cost_that_is_no_sum_is_asked_for_each_union() -> None:
    supernet = three_networks()
    largest = Cost(
        "largest",
        "units",
        lambda s, one: float(s.macs(one)),
        lambda s, several: max(float(s.macs(one)) for one in several),
    )
    chosen = [tuple(one.tolist()) for one in supernet.references().values()]
    costs = stage_costs(supernet, largest, chosen)
    assert isinstance(costs, AskedCosts)
    order = np.argsort(costs.whole)
    small, large = int(order[0]), int(order[-1])
    assert costs.along((large, small)) == (costs.whole[large], 0)
    assert costs.along((small, large))[1] == costs.whole[large] - costs.whole[small]
    along = costs_along(supernet, largest, [chosen[small], chosen[large]])
    assert along == costs.along((small, large))
