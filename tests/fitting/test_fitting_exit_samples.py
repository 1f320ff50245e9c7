"""The data that exits are fitted on: pooled features, and the ensemble's probabilities."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from exit_examples import Mixer, joined, segmenters, value_of
from small_supernets import SIZE, small_supernet
from torch import nn
from torch.nn import functional

from netstitch.errors import FittingError
from netstitch.fitting.exit_samples import EnsembleTeacher, ExitSamples, read_samples
from netstitch.stitching import Averaging
from netstitch.stitching.exit_graph import SMALLEST, PointRef, exit_output
from netstitch.supernet.supernet import Supernet

INPUTS = torch.randn(20, 2, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def teacher_of(supernet: Supernet, key: str | None = None) -> EnsembleTeacher:
    output = exit_output(supernet.structure, key)
    return EnsembleTeacher(supernet.structure, output, supernet.averaging, supernet.tensors())


def read(
    supernet: Supernet, places: Sequence[PointRef], batches: Any, workers: int = 1, **settings: Any
) -> ExitSamples:
    given = {"holdout": 0.2, "positions": 4, "memory_budget": 10**9} | settings
    with ThreadPoolExecutor(workers) as pool:
        return read_samples(
            teacher_of(supernet),
            places,
            batches,
            pool=pool,
            workers=workers,
            progress=lambda done: None,
            **given,
        )


def every_place(supernet: Supernet) -> list[PointRef]:
    return [(i, node.name) for i, graph in enumerate(supernet.graphs) for node in graph.points]


def test_features_are_means_and_deviations_over_positions() -> None:
    supernet = small_supernet()
    places = every_place(supernet)
    found = read(supernet, places, INPUTS.split(7), workers=2)
    for network, name in places:
        expected = value_of(supernet.networks[network].module, name, INPUTS)
        if expected.ndim == 4:
            deviation = (expected.var((2, 3), correction=0) + SMALLEST).sqrt()
            expected = torch.cat([expected.mean((2, 3)), deviation], 1)
        assert found.features[network, name].allclose(expected, atol=1e-5)
    assert torch.equal(found.joined(places[:2]), torch.cat(list(found.features.values())[:2], 1))
    assert found.held.nonzero().flatten().tolist() == [4, 9, 14, 19]
    assert (found.samples, found.held_out, found.whole) == (20, 4, True)


@pytest.mark.parametrize("rule", ["logits", "probabilities"])
@pytest.mark.parametrize("weights", [None, (1.0, 3.0)])
def test_targets_are_the_ensembles_probabilities(rule: Any, weights: Any) -> None:
    plain = small_supernet()
    averaging = Averaging(rule, weights)
    supernet = Supernet(list(plain.networks), plain.matching, averaging=averaging)
    found = read(supernet, [], [INPUTS])
    expected = supernet(INPUTS, supernet.genotype("ensemble")).softmax(1)
    assert found.targets.allclose(expected, atol=1e-6)


def test_targets_of_networks_that_put_out_probabilities_are_their_mean() -> None:
    torch.manual_seed(0)
    supernet = joined([Mixer(w, nn.Softmax(1)) for w in (4, 6)], torch.randn(2, 5, 6))
    output = supernet._exit_output(None)
    teacher = EnsembleTeacher(supernet.structure, output, supernet.averaging, supernet.tensors())
    inputs = torch.randn(9, 5, 6)
    outputs = [network(inputs) for network in supernet.networks]
    assert teacher.probabilities(outputs).allclose(sum(outputs) / 2, atol=1e-6)


def test_maps_are_looked_at_where_the_pixels_of_the_output_are() -> None:
    supernet = segmenters()
    places = [(0, node.name) for node in supernet.graphs[0].points]
    inputs = torch.randn(3, 3, 16, 16)
    found = read(supernet, places, [inputs[:1], inputs[1:]], positions=5)
    assert found.targets.shape == (15, 4)
    ensemble = supernet(inputs, supernet.genotype("ensemble"))["out"].softmax(1)
    rows = ensemble.movedim(1, -1).flatten(1, 2)
    upsampled = {
        place: functional.interpolate(
            value_of(supernet.networks[0].module, place[1], inputs), size=(16, 16), mode="bilinear"
        ).flatten(2)
        for place in places
    }
    for row in range(15):
        sample = row // 5
        same = (rows[sample] - found.targets[row]).abs().sum(1) < 1e-5
        for place in places:
            distance = upsampled[place][sample].T - found.features[place][row]
            same &= distance.abs().sum(1) < 1e-5
        assert same.any()  # there is a pixel that all of them are of


def test_samples_beyond_the_memory_are_not_read() -> None:
    supernet = small_supernet()
    [place, *_] = every_place(supernet)
    width = read(supernet, [place], [INPUTS]).features[place].shape[1]
    budget = 4 * (width + 3) * 12
    found = read(supernet, [place], INPUTS.split(5), memory_budget=budget)
    assert (found.samples, found.held_out, found.whole) == (12, 2, False)
    assert len(found.targets) == len(found.held) == 12
    all_of_them = read(supernet, [place], [INPUTS]).targets
    assert torch.equal(found.targets, all_of_them[:12]) or found.targets.allclose(all_of_them[:12])


def test_what_is_not_finite_is_named() -> None:
    supernet = small_supernet()
    places = every_place(supernet)
    broken = INPUTS.clone()
    broken[3, 0, 0, 0] = float("nan")
    with pytest.raises(FittingError, match="batch 2 holds NaN or infinity: clean the inputs"):
        read(supernet, places, [INPUTS, broken])
    with torch.no_grad():
        supernet.networks[0].get_submodule("module.head").bias[0] = float("inf")
    with pytest.raises(FittingError, match="the networks' outputs hold NaN or infinity on batch 1"):
        read(supernet, [], [INPUTS])
