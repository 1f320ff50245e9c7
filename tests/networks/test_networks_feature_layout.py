"""Layouts: channels, sizes that must agree, rows, and the layer that translates."""

import pytest
import torch
from torch import nn

import netstitch as ns
from netstitch.networks import feature_layout
from netstitch.networks.feature_layout import BATCH, MAP, VECTOR, FeatureLayout, find_layout


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


class Mixer(nn.Module):
    """Layers on tokens (n, t, c); the classes are of their mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed, self.mix, self.head = (
            nn.Linear(6, width), nn.Linear(width, width), nn.Linear(width, 3),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.mix(self.embed(x).relu()).relu().mean(1))


def test_with_a_row_more_in_the_table_tokens_are_matched_stitched_and_fitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens = FeatureLayout("token", ("batch", "t", "c"), "aten.linear.default")
    x = torch.rand(16, 5, 6)
    torch.manual_seed(0)
    models = [Mixer(8), Mixer(4)]
    assert not [p for p in ns.capture(models[0], x).graph.points if len(p.shape or ()) == 3]
    monkeypatch.setattr(feature_layout, "LAYOUTS", (*feature_layout.LAYOUTS, tokens))
    a, b = (ns.capture(model, x) for model in models)
    matching = ns.match(a, b)
    assert len([p for p in a.graph.points if p.layout == tokens]) == 4
    supernet = ns.Supernet([a, b], matching)
    first = supernet.stitches[0]
    assert (first.layout, first.inputs, first.outputs) == (tokens, 8, 4)
    assert (first.positions, first.multiply_adds) == (5, 8 * 4 * 5)
    report = supernet.fit([torch.rand(256, 5, 6)])
    assert max(row.relative_error or 0 for row in report.rows) < 1
    features = torch.rand(2, 5, 8)
    assert torch.equal(tokens.rows(features, torch.arange(2)), features.flatten(0, 1))
    genotype = supernet.genotype("mixer_2", [1])
    assert supernet.subnetwork(genotype)(x).shape == (16, 3)
    assert supernet.active_stitches(genotype) == (0,)


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
