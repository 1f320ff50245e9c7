import numpy as np
import pytest
import torch
from chain_examples import line, slow_r2

from netstitch.errors import MatchingError
from netstitch.matching import compatible, stitchability, translations
from netstitch.networks.module import build_module

KINDS = ("conv", "sin", "conv", "norm", "pool", "flatten", "scale")


def images(count=64):
    return torch.randn(count, 3, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def pair():
    return line(*KINDS, name="a")[0], line("sin", *KINDS[1:], name="b")[0]


def slow_translations(a, b, inputs, ridge, holdout=4):
    """Whole features at all positions, one pair after the other."""
    size = (len(a.graph.points), len(b.graph.points))
    tables = np.full(size, np.nan), np.full(size, np.nan)

    def rows(network, node):
        (values,) = build_module(network.graph, network.weights, outputs=[node.name])(inputs)
        flat = values.reshape(len(values), values.shape[1], -1)
        return flat.mT.flatten(0, 1), flat.shape[2]

    ends = {network.graph.outputs[0][1] for network in (a, b)}
    for i, u in enumerate(a.graph.points):
        for j, v in enumerate(b.graph.points):
            if compatible(u, v) and u.name not in ends and v.name not in ends:
                (x, cells), (y, _) = rows(a, u), rows(b, v)
                held = (torch.arange(len(inputs)) % holdout == holdout - 1).repeat_interleave(cells)
                tables[0][i, j] = slow_r2(x, y, held, ridge)
                tables[1][i, j] = slow_r2(y, x, held, ridge)
    return tables


def test_every_pair_is_what_least_squares_on_whole_features_gives(pair):
    a, b = pair
    inputs = images()
    found = translations(a, b, inputs.split(10), positions=64 * 16, ridge=1e-2)
    slow = slow_translations(a, b, inputs, 1e-2)
    assert np.array_equal(np.isnan(found.a_to_b), np.isnan(slow[0]))
    assert np.array_equal(np.isnan(found.b_to_a), np.isnan(slow[1]))
    np.testing.assert_allclose(found.a_to_b, slow[0], atol=1e-3)
    np.testing.assert_allclose(found.b_to_a, slow[1], atol=1e-3)
    expected = (np.nan_to_num(slow[0]).clip(0) + np.nan_to_num(slow[1]).clip(0)) / 2
    np.testing.assert_allclose(found.mean, expected, atol=1e-3)


def test_stitchability_is_both_ways_averaged(pair):
    inputs = [images()]
    found = stitchability(*pair, inputs)
    assert np.array_equal(found, translations(*pair, inputs).mean)
    assert found.shape == tuple(len(network.graph.points) for network in pair)
    assert found.min() == 0
    assert found.max() <= 1


def test_points_of_equal_features_are_worth_one():
    a, names = line("conv", "sin", "pool")
    table = stitchability(a, a, [images(256)])
    index = {node.name: i for i, node in enumerate(a.graph.points)}
    for name in names[:-1]:
        assert table[index[name], index[name]] > 0.999


def test_a_sample_of_positions_says_nearly_the_same(pair):
    inputs = [images(512)]
    whole = stitchability(*pair, inputs, positions=512 * 16)
    part = stitchability(*pair, inputs, positions=512 * 4)
    assert np.abs(whole - part).max() < 0.1
    assert not np.array_equal(whole, part)


def test_little_memory_means_more_runs_and_the_same_result(pair):
    inputs = [images()]
    rows = {"positions": 64}
    whole = stitchability(*pair, inputs, **rows)
    told = []
    # 64 rows of the widest layout alone, so that no two layouts are read together.
    part = stitchability(*pair, inputs, **rows, memory_budget=1, progress=lambda *a: told.append(a))
    np.testing.assert_allclose(whole, part, atol=1e-5)
    assert {text for _, _, text in told if "reading" in text} == {
        f"reading points of {size}" for size in ("4x4", "1x1", "no positions")
    }


def test_progress_ends_at_its_total(pair):
    told = []
    stitchability(*pair, [images()], progress=lambda *arguments: told.append(arguments))
    done = [now for now, _, _ in told]
    assert done == sorted(done)
    assert told[-1][0] == told[-1][1]
    assert {total for _, total, _ in told} == {told[-1][1]}


def test_only_the_pairs_asked_for_are_looked_at(pair):
    a, b = pair
    first = (a.graph.points[0].name, b.graph.points[1].name)
    found = translations(a, b, [images()], pairs=[first])
    assert np.argwhere(np.isfinite(found.a_to_b)).tolist() == [[0, 1]]
    assert np.isnan(translations(a, b, [images()], pairs=[]).a_to_b).all()


def test_it_does_not_depend_on_batches_or_on_chance(pair):
    inputs = images()
    assert np.array_equal(
        stitchability(*pair, inputs.split(7)), stitchability(*pair, [(inputs, "labels")])
    )


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"images": 0}, "images is 0"),
        ({"positions": 0}, "positions is 0"),
        ({"projections": 0}, "projections is 0"),
        ({"memory_budget": 0}, "memory_budget is 0"),
        ({"ridge": -1.0}, "ridge is -1.0"),
        ({"ridge": float("nan")}, "ridge is nan"),
        ({"holdout": 0.0}, "holdout is 0.0"),
        ({"images": 4}, "hold 4 samples: holding out 0.25 of them takes at least 8"),
        ({"pairs": [("nothing", "n1")]}, "'nothing' is no point of a that can be matched"),
    ],
)
def test_settings_out_of_range_are_named(pair, settings, message):
    with pytest.raises(MatchingError, match=message):
        stitchability(*pair, [images()], **settings)


def test_plain_models_are_refused(pair):
    with pytest.raises(MatchingError, match="takes captured networks, got Linear"):
        stitchability(pair[0], torch.nn.Linear(2, 2), [images()])
