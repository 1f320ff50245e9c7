"""What a layout knows: channels, sizes that must agree, rows, and the layer that translates."""

import pytest
import torch

from netstitch.matching import Match, Matching, compatible
from netstitch.networks import feature_layout
from netstitch.networks.feature_layout import BATCH, MAP, VECTOR, FeatureLayout, find_layout
from netstitch.networks.graph import Graph, Node, Ref
from netstitch.stitching import make_switchboard


def test_a_layout_is_found_by_its_rank_and_channels() -> None:
    assert find_layout((BATCH, 8), 1) is VECTOR
    assert find_layout((BATCH, 8, 7, 7), 1) is MAP
    assert find_layout((BATCH, 7, 7, 8), 3) is None
    assert find_layout((BATCH, 8, 7), 1) is None
    assert find_layout((BATCH, 8), None) is None
    assert find_layout(None, 1) is None


def test_sizes_are_what_must_agree() -> None:
    assert VECTOR.sizes((BATCH, 8)) == ()
    assert MAP.sizes((BATCH, 8, 7, 9)) == (7, 9)
    assert VECTOR.described((BATCH, 8)) == "vectors"
    assert MAP.described((BATCH, 8, 7, 9)) == "maps of 7x9"


@pytest.mark.parametrize(("layout", "shape"), [(VECTOR, (2, 3)), (MAP, (2, 3, 5, 4))])
def test_a_layer_maps_every_position_alike(layout: FeatureLayout, shape: tuple[int, ...]) -> None:
    features, layer = torch.rand(shape), layout.layer(3, 6)
    found = layer(features)
    assert layout.holds(found, 2, 6)
    assert not layout.holds(found, 2, 3)
    rows = layout.rows(features, torch.arange(2)) @ layer.weight.flatten(1).T + layer.bias
    torch.testing.assert_close(layout.rows(found.detach(), torch.arange(2)), rows.detach())


def test_a_row_more_in_the_table_makes_tokens_points(monkeypatch: pytest.MonkeyPatch) -> None:
    def tokens(name: str, width: int) -> Node:
        shape = (BATCH, 5, width)
        return Node(name, "aten.relu.default", (Ref("x"),), shape=shape, point=True, channels=2)

    def graph(width: int) -> Graph:
        return Graph((Node("x", "input"), tokens("t", width)), ((None, "t"),))

    assert tokens("t", 8).layout is None
    added = FeatureLayout("token", ("batch", "t", "c"), "aten.linear.default")
    monkeypatch.setattr(feature_layout, "LAYOUTS", (*feature_layout.LAYOUTS, added))
    assert compatible(tokens("t", 8), tokens("t", 3))
    matching = Matching((Match(("t", "t")),), 1.0, 1.0, "by hand")
    first, second = make_switchboard((graph(8), graph(3)), matching).stitches
    assert (first.inputs, first.outputs, first.positions) == (8, 3, 5)
    features = torch.rand(2, 5, 8)
    assert first.layer()(features).shape == (2, 5, 3)
    assert torch.equal(first.layout.rows(features, torch.arange(2)), features.flatten(0, 1))
    assert second.multiply_adds == 3 * 8 * 5


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_rows_are_positions_in_one_order_whatever_the_strides(layout: torch.memory_format) -> None:
    features = torch.arange(4 * 3 * 2 * 5.0).reshape(4, 3, 2, 5)
    chosen = torch.tensor([1, 3])
    expected = [
        [float(features[b, c, h, w]) for c in range(3)]
        for b in (1, 3)
        for h in range(2)
        for w in range(5)
    ]
    result = MAP.rows(features.contiguous(memory_format=layout), chosen)
    assert result.tolist() == expected


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 2, 2), (4, 1, 2, 2), (4, 3, 1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_have_memory_of_their_own(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    features = torch.ones(shape, dtype=dtype)
    result = (MAP if len(shape) == 4 else VECTOR).rows(features, torch.arange(4))
    result.zero_()
    assert features.eq(1).all()
    assert result.dtype == torch.float32


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_of_large_maps_some_positions_are_looked_at_the_same_in_all_sets(
    layout: torch.memory_format,
) -> None:
    values = torch.arange(3 * 2 * 5 * 4, dtype=torch.float32).reshape(3, 2, 5, 4)
    values = values.to(memory_format=layout)
    samples = torch.tensor([2, 0])
    every = MAP.rows(values, samples).reshape(2, 20, 2)
    some = MAP.rows(values, samples, 7, 1).reshape(2, 7, 2)
    places = [int((every[0] == row).all(1).nonzero()) for row in some[0]]
    assert len(set(places)) == 7
    assert places == sorted(places)
    assert torch.equal(some, every[:, places])  # the same in each sample, and for each set
    assert not torch.equal(some, MAP.rows(values, samples, 7, 2).reshape(2, 7, 2))
    some += 1  # in memory of its own
    assert torch.equal(MAP.rows(values, samples, 20, 1).reshape(2, 20, 2), every)
