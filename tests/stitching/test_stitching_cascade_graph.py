from dataclasses import replace

import pytest
from cascade_examples import stage
from exit_examples import joined, with_exits
from small_supernets import small_supernet, three_networks
from torch import nn, randn

from netstitch.errors import StitchingError
from netstitch.networks.graph import INPUT, WEIGHT
from netstitch.networks.staged import StagedGraph, given
from netstitch.stitching import Cascade, CascadeStage, Exit
from netstitch.supernet.cascade_parts import staged_graph
from netstitch.supernet.supernet import Supernet


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return with_exits(small_supernet())


def own_nodes(staged: StagedGraph) -> list[list[str]]:
    """The names of what each stage computes."""
    kinds = (INPUT, WEIGHT)
    return [[n.name for n in graph.nodes if n.operation not in kinds] for graph in staged.stages]


def test_an_ensemble_reuses_all_of_its_first_network(supernet):
    cascade = Cascade((stage(supernet, "wide", 0.5), stage(supernet, "ensemble")))
    staged, weights = staged_graph(supernet, cascade)
    first, second = own_nodes(staged)
    assert not any(name.startswith("wide_") for name in second)
    assert set(first).isdisjoint(second)
    # They normalise their inputs alike.
    assert set(given(staged.stages[1])) == {"wide_div", "wide_head_linear"}
    costs = [graph.multiply_adds for graph in staged.stages]
    genotypes = supernet.references()
    assert costs == [supernet.macs(genotypes["wide"]), supernet.macs(genotypes["deep"])]
    assert weights["threshold"].tolist() == [0.5]


def test_an_exit_hands_over_where_it_ends(supernet):
    deepest = [one for one in supernet.exits if one.network == 0 and len(one.points) == 1][-2]
    first = CascadeStage(deepest, 0.5)
    staged, _ = staged_graph(supernet, Cascade((first, stage(supernet, "wide"))))
    whole = supernet.macs(supernet.references()["wide"])
    extra = supernet.macs(deepest) - sum(
        node.multiply_adds
        for node in supernet.pruned_graph(deepest).nodes
        if not node.name.startswith("exit")
    )
    assert staged.multiply_adds == whole + extra
    assert "input" not in given(staged.stages[1])


def test_values_for_the_third_stage_pass_through_the_second():
    supernet = three_networks()
    stages = (
        stage(supernet, "net0", 0.5),
        stage(supernet, "net1", 0.5),
        stage(supernet, "ensemble"),
    )
    staged, _ = staged_graph(supernet, Cascade(stages))
    _, second, third = staged.stages
    assert set(given(second)) == {"net0_div", "net0_head_linear"}
    assert set(given(third)) == {"net0_div", "net0_head_linear", "net1_head_linear"}
    assert staged.multiply_adds == supernet.macs(supernet.genotype("ensemble"))


def test_switches_that_nothing_depends_on_are_left_out(supernet):
    genotype = supernet.genotype("wide")
    unused = next(i for i, used in enumerate(supernet.active(genotype)) if not used)
    other = supernet.genotype("wide", [unused])
    cascade = Cascade((CascadeStage(tuple(genotype), 0.5), CascadeStage(tuple(other))))
    with pytest.raises(StitchingError, match="stages 1 and 2 are one subnetwork"):
        staged_graph(supernet, cascade)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"temperatures": (1.0, 2.0)}, "stage 1 of the cascade: 2 temperatures .* expected 1"),
        ({"subnetwork": (0, 0)}, r"stage 1 of the cascade: a genotype of shape \(2,\)"),
        ({"subnetwork": Exit(0, ("nowhere",))}, "stage 1 of the cascade: .*'nowhere'"),
        ({"subnetwork": Exit(0, ("sub",)), "answer": "mean"}, "stage 1 is an exit and answers"),
    ],
)
def test_stages_that_do_not_fit(supernet, changes, message):
    first = replace(stage(supernet, "wide", 0.5), **changes)
    with pytest.raises(StitchingError, match=message) as caught:
        staged_graph(supernet, Cascade((first, stage(supernet, "ensemble"))))
    assert "\n" not in str(caught.value)


def test_one_output_agrees_with_none(supernet):
    stages = stage(supernet, "wide", 0.5), stage(supernet, "ensemble")
    with pytest.raises(StitchingError, match=r"^stage 1 of the cascade: .*begin with an ensemble"):
        staged_graph(supernet, Cascade(stages, "agreement"))
    stages = stage(supernet, "ensemble", 0.5), stage(supernet, "ensemble", None, [0])
    staged_graph(supernet, Cascade(stages, "agreement"))


def test_a_mean_needs_the_networks_as_outputs():
    whole = small_supernet()
    supernet = Supernet(whole.basis_networks, whole.matching, outputs=[(0,), (0, 1)])
    first, last = stage(supernet, "wide", 0.5), stage(supernet, "ensemble", answer="mean")
    with pytest.raises(StitchingError, match="stage 2 of the cascade: it answers with the mean"):
        staged_graph(supernet, Cascade((first, last)))
    with pytest.raises(StitchingError, match="2 temperatures were given; expected 1"):
        staged_graph(supernet, Cascade((first, replace(last, temperatures=(1.0, 1.0)))))
    staged_graph(supernet, Cascade((first, replace(last, answer="own", temperatures=(2.0,)))))


def test_probabilities_have_no_temperature():
    class Sure(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.body, self.head = nn.Linear(5, width), nn.Linear(width, 3)

        def forward(self, x):
            return self.head(self.body(x).relu()).softmax(1)

    supernet = joined([Sure(4), Sure(6)], randn(2, 5))
    first = stage(supernet, "wide", 0.5, temperatures=(2.0,))
    with pytest.raises(StitchingError, match=r"temperature is 2.0, and the networks put out prob"):
        staged_graph(supernet, Cascade((first, stage(supernet, "ensemble"))))


@pytest.mark.parametrize("output", ["aux", None])
def test_networks_of_one_tensor_have_no_keys(supernet, output):
    cascade = Cascade((stage(supernet, "wide", 0.5), stage(supernet, "ensemble")))
    if output is None:
        assert staged_graph(supernet, cascade, output)[0].output_keys == (None,)
        return
    with pytest.raises(StitchingError, match=r"put out one tensor, .*'aux'; leave output out"):
        staged_graph(supernet, cascade, output)
