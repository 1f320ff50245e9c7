"""Sequential least squares: stitches refitted on what other stitches make of their inputs."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from small_supernets import random_samples, small_supernet, three_networks
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.fitting import fit_sequential, least_squares, sequential
from netstitch.fitting.least_squares import match_groups
from netstitch.fitting.moments import Moments
from netstitch.fitting.sequential import _alone, _Draws, _moments, _through
from netstitch.fitting.stream import image_bytes
from netstitch.networks.module import build_module
from netstitch.networks.plan import peak_bytes
from netstitch.stitching.stitch import Place
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


def test_little_memory_only_means_more_passes_and_batches_in_parts() -> None:
    supernet = small_supernet()
    sources = supernet.features(random_samples(8).inputs, [s.source for s in supernet.stitches])
    found, reports = [], []
    for budget in (2_000_000_000, 4_000):
        reports.append(supernet.fit(batches(), method="sequential", memory_budget=budget))
        # Weights of directions that do not vary are anything; what the maps give is not.
        found.append([layer(x) for layer, x in zip(supernet._layers(), sources, strict=True)])
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-4)
    for ours, other in zip(reports[0].rows, reports[1].rows, strict=True):
        if other.relative_error is None:
            assert ours.relative_error is None
        else:
            assert ours.relative_error == pytest.approx(other.relative_error, rel=1e-3, abs=1e-6)


def test_features_are_held_within_the_budget() -> None:
    supernet = small_supernet()
    plain = supernet.features
    most = 0

    def watched(inputs: Tensor, places: Sequence[Place]) -> list[Tensor]:
        nonlocal most
        found = plain(inputs, places)
        most = max(most, sum(tensor.nbytes for tensor in found))
        return found

    supernet.features = watched  # type: ignore[method-assign]
    layers = supernet._layers()
    assert image_bytes(supernet.stitches) * 64 > 20_000
    fit_sequential(supernet, layers, batches(64, 64), passes=1, memory_budget=20_000)
    assert 0 < most <= 20_000


def test_values_of_subnetworks_count_as_features() -> None:
    supernet = small_supernet()
    draws = _Draws(supernet, np.random.default_rng(0), 8).of(0)
    weights = supernet.tensors()
    every = range(len(supernet.stitches))
    through = _through(supernet, weights, every, draws, frozenset())
    found = {
        key: value
        for index, values in through.sources(random_samples(1).inputs).items()
        for key, value in zip(through.keys[index], values, strict=True)
    }
    assert through.plan is not None
    assert through.bytes == peak_bytes(through.plan) + sum(each.nbytes for each in found.values())
    nothing = _through(supernet, weights, [0], [supernet.genotype("wide")], frozenset())
    assert (nothing.plan, nothing.bytes) == (None, 0)
    assert nothing.sources(random_samples(1).inputs) == {}


def test_the_plan_counts_the_moments_that_are_held() -> None:
    supernet = three_networks()
    # A budget that the first fit can do with is then enough for the refits.
    first = {index: group for group in match_groups(supernet.stitches) for index in group.members}
    groups = _alone(supernet.stitches)
    for index, (group, stitch) in enumerate(zip(groups, supernet.stitches, strict=True)):
        moments = _moments(stitch, 1e-4)
        held = [*moments.means, moments.product(0, 0), moments.product(0, 1)]
        assert group.bytes == sum(tensor.nbytes for tensor in held) <= first[index].bytes
        assert group.members == (index,)
        with pytest.raises(KeyError):
            moments.product(1, 1)


@pytest.mark.parametrize("ridge, precise", [(0.0, True), (1e-8, True), (1e-4, False)])
def test_refits_multiply_as_precisely_as_the_first_fit(
    ridge: float, precise: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, set[bool]] = {}
    for module in (least_squares, sequential):

        def watched(*args: Any, name: str = module.__name__, **settings: Any) -> Moments:
            made.setdefault(name, set()).add(settings["precise"])
            return Moments(*args, **settings)

        monkeypatch.setattr(module, "Moments", watched)
    small_supernet().fit(batches(), method="sequential", ridge=ridge, passes=1)
    assert made == {least_squares.__name__: {precise}, sequential.__name__: {precise}}


def test_batches_without_a_held_out_image_are_no_harm() -> None:
    found = []
    for size in (64, 4):
        report = small_supernet().fit(batches(64, size), ridge=1e-3, method="sequential", passes=1)
        found.append([row.relative_error for row in report.rows])
    assert [error is None for error in found[0]] == [error is None for error in found[1]]
    assert all(error is None or np.isfinite(error) for error in found[1])


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
