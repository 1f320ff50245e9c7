"""A supernet of three networks that are matched jointly."""

from pathlib import Path
from statistics import median

import torch
from supernet_examples import Small, images

import netstitch as ns


def test_three_networks_are_joined_fitted_refined_and_run(tmp_path: Path) -> None:
    torch.manual_seed(0)
    models = [Small(width).eval() for width in (3, 4, 5)]
    networks = [
        ns.capture(model, images(), name=name) for model, name in zip(models, "abc", strict=True)
    ]
    matching = ns.match(*networks)
    assert matching.exact
    made = ns.Supernet(networks, matching)
    sizes = [len(match.members) for match in matching]
    assert max(sizes) == 3
    assert len(made.stitches) == sum(size * (size - 1) for size in sizes)
    assert made.cardinalities == (*(size for size in sizes for _ in range(size)), 4)

    report = made.fit([images(40), images(41)])
    assert len(report.rows) == len(made.stitches)
    assert median(row.relative_error for row in report.rows if row.relative_error is not None) < 1
    made.refine([images(16), images(17)], steps=2)

    x = images(5)
    with torch.no_grad():
        outputs = [model(x) for model in models]
        expected = {"a": outputs[0], "b": outputs[1], "c": outputs[2], "ensemble": sum(outputs) / 3}
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
        torch.testing.assert_close(ns.load(tmp_path / "saved")(x, crossing), made(x, crossing))
