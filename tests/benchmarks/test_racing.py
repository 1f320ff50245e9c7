"""The benchmark of races counts samples as an evaluator goes through them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_supernets import random_task, small_supernet

from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.evaluation.race import Race
from netstitch.evaluation.sample_order import nested_order
from netstitch.optimization import StoppedEarly


@pytest.mark.parametrize("ends", [(), (8, 24)])
def test_it_says_what_an_evaluator_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: tuple[int, ...]
) -> None:
    import racing
    from outcomes import Outcomes, OutcomeStore

    monkeypatch.setattr(racing, "BATCH", 8)
    supernet, task = small_supernet(), random_task(60)
    outcomes = Outcomes(supernet, task, OutcomeStore(tmp_path / "outcomes.sqlite"))
    references = list(supernet.references().values())
    plain = Evaluator(supernet, task, task.validation, NumericsConfig(True, 8, 1))
    measured = plain.measured_together(references, task.margin, task.correct)
    order = nested_order(task.validation.labels, [sure for sure, _ in measured], ends, 3)
    known = torch.stack([right for _, right in measured])[:, order]
    evaluator = Evaluator(
        supernet,
        task,
        task.validation.taken(order),
        NumericsConfig(True, 8, 1),
        race=Race(ends, known) if ends else None,
    )
    counted = racing.CountedEvaluation(outcomes, [sure for sure, _ in measured], ends, 3)
    generator = np.random.default_rng(1)
    genotypes = [generator.integers(0, supernet.cardinalities) for _ in range(12)]
    thresholds = [None, *generator.uniform(0.2, 0.7, 11).tolist()]
    found = evaluator.together(genotypes, thresholds)
    assert counted.together(genotypes, thresholds) == found
    early = sum(isinstance(one, StoppedEarly) for one in found)
    assert 0 < early == 12 - counted.whole
    assert counted.samples < 12 * 60
