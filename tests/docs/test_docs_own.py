"""The task of the page on one's own models, as it stands there, has cascades."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from exit_examples import random_weights
from small_supernets import random_samples, small_supernet
from torch.nn import functional

import netstitch as ns
from netstitch.stitching.exit import Exit

PAGE = Path(__file__).parents[2] / "docs" / "own.md"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """The names that the page's block defines, with its samples and supernet small and random."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    [code] = [block for block in blocks if "class Grades" in block]
    validation, test = random_samples(160, 2), random_samples(90, 3, name="test")
    supernet = small_supernet()
    exits = [Exit(0, ("relu",)), Exit(1, ("relu",))]
    supernet.set_exits(exits, random_weights(supernet, exits))
    ensemble = supernet.genotype("ensemble")
    names: dict[str, Any] = {
        "s": supernet,
        "images": validation.inputs,
        "grades": supernet(validation.inputs, ensemble).argmax(1),  # so that it is worth asking
        "test_images": test.inputs,
        "test_grades": supernet(test.inputs, ensemble).argmax(1),
    }
    assert "budget=2_000" in code
    exec(code.replace("budget=2_000", "budget=70"), names)
    return names


def test_the_block_ends_with_cascades(page: dict[str, Any]) -> None:
    front, task = page["front"], page["task"]
    found = (*front.cascades, *front.plain_cascades)
    assert found
    for point in found:
        assert point.cascade.confidence == "probability"
    network = page["s"].subnetwork(found[0].subnetwork)
    accuracy = task.accuracy(network(task.validation.inputs), task.validation.labels)
    assert accuracy == pytest.approx(found[0].validation)


def test_what_is_likely_is_what_is_right_where_others_know_the_grade(page: dict[str, Any]) -> None:
    task: ns.Task = page["task"]
    assert task.likely is not None
    labels = torch.tensor([0, 1, 2, 2])
    outputs = functional.one_hot(torch.tensor([0, 2, 0, 2]), 3).float()
    sure = 100.0 * functional.one_hot(labels, 3)
    assert task.correct(outputs, labels).tolist() == [1, 0.5, 0, 1]
    assert task.likely(outputs, sure, labels).tolist() == pytest.approx([1, 0.5, 0, 1])
