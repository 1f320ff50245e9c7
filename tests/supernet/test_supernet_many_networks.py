"""Supernets of three and four networks that are matched jointly."""

from functools import cache
from itertools import combinations
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch
from supernet_examples import Small, images
from torch import Tensor, nn

import netstitch as ns
from netstitch.errors import StitchingError
from netstitch.fitting.refinement.sampler import SubnetworkSampler
from netstitch.networks import Network
from netstitch.stitching import Averaging


@cache
def four() -> tuple[list[nn.Module], list[Network]]:
    torch.manual_seed(0)
    plain = [Small(3 + index).eval() for index in range(4)]
    named = zip(plain, "abcd", strict=True)
    return plain, [ns.capture(model, images(), name=name) for model, name in named]


def models(count: int) -> list[nn.Module]:
    return four()[0][:count]


def joined(
    count: int,
    averaging: Averaging | None = None,
    outputs: list[list[str]] | None = None,
) -> ns.Supernet:
    networks = four()[1][:count]
    return ns.Supernet(networks, ns.match(*networks), averaging=averaging, outputs=outputs)


def expected_outputs(plain: list[nn.Module], x: Tensor) -> dict[str, Tensor]:
    """Each network, each pair and all, in the order of the choices."""
    with torch.no_grad():
        alone = {name: model(x) for name, model in zip("abcd", plain, strict=False)}
    pairs = {"+".join(pair): sum(map(alone.get, pair)) / 2 for pair in combinations(alone, 2)}
    return alone | pairs | {"ensemble": sum(alone.values()) / len(alone)}


def test_three_networks_are_joined_fitted_refined_and_run(tmp_path: Path) -> None:
    plain, made = models(3), joined(3)
    assert made.matching.exact
    sizes = [len(match.members) for match in made.matching]
    assert max(sizes) == 3
    assert len(made.stitches) == sum(size * (size - 1) for size in sizes)
    assert made.cardinalities == (*(size for size in sizes for _ in range(size)), 7)

    report = made.fit([images(40), images(41)])
    assert len(report.rows) == len(made.stitches)
    assert median(row.relative_error for row in report.rows if row.relative_error is not None) < 1
    made.refine([images(16), images(17)], steps=2)

    x = images(5)
    expected = expected_outputs(plain, x)
    references = made.references()
    assert list(references) == list(expected)
    for name, genotype in references.items():
        torch.testing.assert_close(made.subnetwork(genotype)(x), expected[name])
        torch.testing.assert_close(made(x, genotype), expected[name])
    # What c reads at its last match comes from b.
    last = len(made.switches) - 1
    crossing = made.genotype("c", {last: 2})
    torch.testing.assert_close(made.subnetwork(crossing)(x), made(x, crossing))
    assert not torch.allclose(made(x, crossing), expected["c"])
    made.save(tmp_path / "saved")
    again = ns.load(tmp_path / "saved")
    assert isinstance(again, ns.Supernet)
    assert again.outputs == made.outputs
    torch.testing.assert_close(again(x, crossing), made(x, crossing))


def test_four_networks_have_all_pairs_and_refining_draws_from_all_directions() -> None:
    plain, made = models(4), joined(4)
    sizes = [len(match.members) for match in made.matching]
    assert len(made.stitches) == sum(size * (size - 1) for size in sizes)
    x = images(5)
    expected = expected_outputs(plain, x)
    assert list(made.references()) == list(expected)
    for name, genotype in made.references().items():
        torch.testing.assert_close(made.subnetwork(genotype)(x), expected[name])
    sampler, generator = SubnetworkSampler(made), np.random.default_rng(0)
    assert all(single is not None for single in sampler.singles)
    drawn = {
        stitch
        for number in range(2_000)
        for stitch in made.active_stitches(sampler.draw(generator, number / 2_000)[0])
    }
    assert drawn == set(range(len(made.stitches)))


def test_listed_outputs_go_by_name_and_are_weighted_by_their_networks(tmp_path: Path) -> None:
    plain = models(3)
    made = joined(3, Averaging("logits", (1.0, 2.0, 5.0)), [["c"], ["c", "a"], ["b", "c", "a"]])
    x = images(5)
    with torch.no_grad():
        a, b, c = (model(x) for model in plain)
    made.save(tmp_path / "saved")
    again = ns.load(tmp_path / "saved")
    assert isinstance(again, ns.Supernet)
    for one in (made, again):
        assert one.outputs == ("c", "c+a", "ensemble")
        torch.testing.assert_close(one(x, one.genotype("c")), c)
        torch.testing.assert_close(one(x, one.genotype("c+a")), (5 * c + a) / 6)
        torch.testing.assert_close(one(x, one.genotype("ensemble")), (a + 2 * b + 5 * c) / 8)


def test_outputs_of_other_networks_are_refused_by_name() -> None:
    with pytest.raises(StitchingError, match="name the network 'd', which is none; expected one"):
        joined(3, outputs=[["a"], ["a", "d"]])
