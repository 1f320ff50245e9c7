"""Searches of the benchmark on a tiny supernet: each network is evaluated once, whoever asks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_supernets import random_task, small_supernet

from netstitch.searching.first_networks import first_networks


@pytest.fixture
def outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    import one_search
    from outcomes import Outcomes, OutcomeStore

    made = Outcomes(small_supernet(), random_task(60), OutcomeStore(tmp_path / "outcomes.sqlite"))
    monkeypatch.setattr(one_search, "_open", [made])
    monkeypatch.setattr(one_search, "THRESHOLD", None)
    return made


def test_what_is_kept_is_what_each_network_is_right_on(outcomes: Any) -> None:
    supernet = outcomes.supernet
    genotypes = [*supernet.references().values()]
    for _ in range(2):  # evaluated, and then known
        for part, samples in (
            ("validation", random_task(60).validation),
            ("test", random_task().test),
        ):
            found = outcomes.right(part, genotypes)
            for genotype, right in zip(genotypes, found, strict=True):
                outputs = supernet.subnetwork(genotype)(samples.inputs)
                assert (outputs.argmax(1) == samples.labels).tolist() == right.tolist()


def test_searches_share_what_they_evaluate(outcomes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from one_search import done, drawn

    supernet = outcomes.supernet
    first = done("enumeration", 20, 1)
    listed = [*supernet.references().values(), *first_networks(supernet, supernet.macs)][:20]
    assert first["evaluated"] == len(outcomes.store.genotypes("validation")) == 20
    known = {supernet.wiring.digest(one) for one in listed}
    assert {bytes.fromhex(network) for network, _ in first["front"]} <= known
    found = done("ga, first networks", 40, 1)
    assert found["used"] == 40
    monkeypatch.setattr(outcomes, "_evaluator", None)  # nothing is evaluated again
    again = done("ga, first networks", 40, 1)
    assert again["front"] == found["front"]
    union = done("union", 0, 1)
    assert union["evaluated"] == len(outcomes.store.genotypes("validation")) >= found["evaluated"]
    images = drawn(outcomes, 1)
    assert len(set(images.tolist())) == 30
    assert not np.array_equal(images, drawn(outcomes, 2))
