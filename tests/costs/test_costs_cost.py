"""Costs by name, of a subnetwork and of several that run together."""

import numpy as np
import pytest
from exit_examples import with_exits
from small_supernets import CLASSES, small_supernet, three_networks

from netstitch.costs import COSTS, MULTIPLY_ADDS, PARAMETERS, Cost, find_cost
from netstitch.errors import SearchError
from netstitch.supernet.supernet import Supernet


def constant(_: Supernet, __: object) -> float:
    return 1.0


@pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS)
@pytest.mark.parametrize("supernet", [small_supernet(), three_networks()], ids=["two", "three"])
def test_one_genotype_together_costs_what_it_costs_alone(cost: Cost, supernet: Supernet) -> None:
    random = np.random.default_rng(0)
    for genotype in random.integers(0, supernet.cardinalities, (20, len(supernet.cardinalities))):
        alone = cost.of(supernet, genotype)
        assert cost.together(supernet, [genotype]) == alone
        assert cost.together(supernet, [genotype, genotype]) == alone


@pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS)
def test_together_costs_no_less_than_each_and_no_more_than_all(cost: Cost) -> None:
    supernet, random = three_networks(), np.random.default_rng(1)
    genotypes = random.integers(0, supernet.cardinalities, (8, len(supernet.cardinalities)))
    alone = [cost.of(supernet, genotype) for genotype in genotypes]
    assert max(alone) <= cost.together(supernet, list(genotypes)) <= sum(alone)
    assert cost.together(supernet, []) == 0


@pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS)
def test_the_basis_networks_and_their_ensemble_share_everything(cost: Cost) -> None:
    supernet = small_supernet()
    ensemble = supernet.references()["ensemble"]
    together = cost.together(supernet, list(supernet.references().values()))
    assert together == cost.of(supernet, ensemble)


def test_an_exit_shares_all_but_its_linear_map_with_its_network() -> None:
    supernet = with_exits(small_supernet())
    for one in supernet.exits:
        network = supernet.genotype(supernet.names[one.network])
        [weight, bias] = (
            tensor.numel()
            for key, tensor in supernet.tensors().items()
            if key.startswith("exits.") and key in supernet.subnetwork_graph(one)[1]
        )
        for cost, more in ((MULTIPLY_ADDS, weight), (PARAMETERS, weight + bias)):
            assert cost.together(supernet, [one]) == cost.of(supernet, one)
            assert cost.together(supernet, [one, network]) == cost.of(supernet, network) + more
    assert bias == CLASSES


def test_layers_behind_a_stitch_are_computed_again_and_their_parameters_are_not() -> None:
    supernet = small_supernet()
    plain = supernet.genotype("deep")
    behind = supernet.active(plain)
    first = int(np.flatnonzero(behind[:-1])[0])
    stitched = supernet.genotype("deep", [first])
    [stitch] = supernet.active_stitches(stitched)
    own = supernet.stitches[stitch]
    weights = sum(p.numel() for p in supernet.layers[stitch].parameters())
    multiply_adds = MULTIPLY_ADDS.together(supernet, [plain, stitched])
    assert multiply_adds > MULTIPLY_ADDS.of(supernet, plain) + own.multiply_adds
    keys = {id(p) for p in supernet.subnetwork(plain, share=True).parameters()} | {
        id(p) for p in supernet.subnetwork(stitched, share=True).parameters()
    }
    assert weights > 0
    assert len(keys) > len(list(supernet.subnetwork(plain, share=True).parameters()))
    both = {
        id(p): p.numel()
        for genotype in (plain, stitched)
        for p in supernet.subnetwork(genotype, share=True).parameters()
    }
    assert PARAMETERS.together(supernet, [plain, stitched]) == sum(both.values())


@pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS)
def test_parts_by_content_sum_to_the_cost_of_any_subnetworks(cost: Cost) -> None:
    supernet, random = three_networks(), np.random.default_rng(2)
    genotypes = random.integers(0, supernet.cardinalities, (6, len(supernet.cardinalities)))
    assert cost.parts is not None
    joined: dict[object, float] = {}
    for genotype in genotypes:
        parts = cost.parts(supernet, genotype)
        assert sum(parts.values()) == cost.of(supernet, genotype)
        joined |= parts
    assert sum(joined.values()) == cost.together(supernet, list(genotypes))


def test_a_cost_is_found_by_name_or_is_given() -> None:
    mine = Cost("mine", "units", constant, constant)
    assert find_cost("parameters") is PARAMETERS
    assert find_cost(mine) is mine
    with pytest.raises(SearchError, match="did you mean 'parameters'") as caught:
        find_cost("parameter")
    assert "\n" not in str(caught.value)
