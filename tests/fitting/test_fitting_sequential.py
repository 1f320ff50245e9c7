"""Sequential least squares: stitches refitted on what other stitches make of their inputs."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from small_supernets import random_samples, small_supernet, three_networks
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.fitting import fit_sequential
from netstitch.fitting.sequential import _Draws
from netstitch.networks.module import build_module
from netstitch.supernet import Supernet


def batches(count: int = 64, size: int = 16, seed: int = 0) -> list[Tensor]:
    return list(random_samples(count, seed=seed).batches(size))


def read_by(supernet: Supernet, stitch: int, genotype: np.ndarray, inputs: Tensor) -> Tensor:
    """What a stitch reads in a subnetwork: its source's own value, every node run in order."""
    graph, _ = supernet.subnetwork_graph(genotype)
    path = supernet.stitch_paths()[stitch]
    node = next(each for each in graph.nodes if each.path == path)
    source = node.args[0].name
    module = build_module(graph, supernet.tensors(), outputs=[source])
    with torch.inference_mode():
        return module(inputs)[0]


def slow_refit(
    supernet: Supernet, given: list[Tensor], genotypes: list[list[np.ndarray]], ridge: float
) -> list[Tensor]:
    """The same maps by stacking every observation, in float64, and solving once."""
    solved = []
    for index, stitch in enumerate(supernet.stitches):
        xs, ys = [], []
        for inputs, drawn in zip(given, genotypes, strict=True):
            x, y = supernet.features(inputs, [stitch.source, stitch.target])
            seen = [x]
            for genotype in drawn:
                if index in supernet.active_stitches(genotype):
                    value = read_by(supernet, index, genotype, inputs)
                    if not any(torch.allclose(value, other, atol=1e-6) for other in seen):
                        seen.append(value)
            for value in seen:
                xs.append(_rows(value))
                ys.append(_rows(y))
        x, y = torch.cat(xs).double(), torch.cat(ys).double()
        centred = x - x.mean(0)
        inner = centred.T @ centred / len(x)
        inner += ridge * inner.diagonal().mean() * torch.eye(len(inner))
        solved.append(torch.linalg.solve(inner, centred.T @ (y - y.mean(0)) / len(x)).T)
    return solved


def _rows(values: Tensor) -> Tensor:
    return values if values.ndim == 2 else values.permute(0, 2, 3, 1).reshape(-1, values.shape[1])


@pytest.mark.parametrize("make", [small_supernet, three_networks])
def test_one_pass_is_the_least_squares_of_everything_that_stitches_read(make) -> None:
    supernet = make()
    given = batches()
    supernet.fit(given, ridge=1e-3)
    generator = np.random.default_rng([3, 0])
    draws = _Draws(supernet, generator, 4)
    genotypes = [draws.of(number) for number in range(len(given))]
    kept = [part[torch.arange(len(part)) % 8 != 7] for part in given]
    expected = slow_refit(supernet, kept, genotypes, 1e-3)
    fit_sequential(supernet, supernet._layers(), given, passes=1, subnetworks=4, ridge=1e-3, seed=3)
    for layer, weight in zip(supernet._layers(), expected, strict=True):
        torch.testing.assert_close(layer.weight.flatten(1).double(), weight, rtol=1e-3, atol=1e-4)


def test_the_same_seed_gives_the_same_stitches() -> None:
    found = []
    for _ in range(2):
        supernet = small_supernet()
        supernet.fit(batches(), method="sequential", seed=5)
        found.append({key: value.clone() for key, value in supernet.stitch_weights().items()})
    assert all(torch.equal(found[0][key], found[1][key]) for key in found[0])


def test_little_memory_only_means_more_passes_over_the_batches() -> None:
    found = []
    for budget in (2_000_000_000, 4_000):
        supernet = small_supernet()
        supernet.fit(batches(), method="sequential", memory_budget=budget)
        found.append(torch.cat([value.flatten() for value in supernet.stitch_weights().values()]))
    torch.testing.assert_close(found[0], found[1])


def test_basis_networks_stay_and_progress_is_told() -> None:
    supernet = small_supernet()
    before = {key: value.clone() for key, value in supernet.networks.state_dict().items()}
    told: list[str] = []
    report = supernet.fit(
        batches(),
        method="sequential",
        passes=2,
        progress=lambda done, total, text: told.append(text),
    )
    after = supernet.networks.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert told[-1] == "sequential least squares, pass 2 of 2"
    assert report.method == "sequential"
    assert report.settings["passes"] == 2
    assert supernet.fit_report is report


def once() -> Iterator[Tensor]:
    yield from batches()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"passes": 0}, "passes is 0: expected 1 or more"),
        ({"subnetworks": 0}, "subnetworks is 0: expected 1 or more"),
        ({"passes": 1.5, "subnetwork": 1}, "no setting 'subnetwork': did you mean 'subnetworks'"),
    ],
)
def test_settings_that_cannot_be_used(settings, message) -> None:
    with pytest.raises(FittingError, match=message):
        small_supernet().fit(batches(), method="sequential", **settings)


def test_batches_that_can_be_read_once_are_refused_and_nothing_changes() -> None:
    supernet = small_supernet()
    before = [value.clone() for value in supernet.stitch_weights().values()]
    with pytest.raises(FittingError, match="reads the batches several times: give a list"):
        supernet.fit(once(), method="sequential")
    after = supernet.stitch_weights().values()
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
