"""Each kind of confidence, and the temperature that calibrates it."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional

import netstitch as ns
from netstitch.errors import DataError
from netstitch.tasks import Segmentation, as_task, confidence
from netstitch.tasks.confidence import CONFIDENCES, fit_temperature, sureness
from netstitch.tasks.datasets.sample_selection import spaced

SAMPLES = ns.Samples(torch.rand(2, 2), torch.tensor([0, 3]))
TASK = ns.Classification(validation=SAMPLES, classes=4)
UNDECIDED, SURE = torch.zeros(4), torch.tensor([40.0, 0, 0, 0])


@pytest.mark.parametrize(
    "kind, expected",
    [("probability", [0.25, 1]), ("margin", [0, 1]), ("entropy", [0, 1]), ("agreement", [0.25, 1])],
)
def test_each_kind_is_least_where_a_network_is_undecided(kind: str, expected: list[float]) -> None:
    logits = torch.stack([UNDECIDED, SURE])
    found = TASK.sureness(logits, kind, logits)
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float32), atol=1e-6, rtol=0
    )


def test_confidence_of_a_map_is_the_mean_over_its_pixels() -> None:
    maps = ns.Samples(torch.rand(1, 3, 1, 2), torch.zeros(1, 1, 2, dtype=torch.uint8))
    task = Segmentation(validation=maps, classes=4)
    logits = torch.stack([UNDECIDED, SURE], 1)[None, :, None]  # (1, 4, 1, 2)
    torch.testing.assert_close(task.sureness(logits, "probability"), torch.tensor([0.625]))


def test_agreement_is_of_two_outputs() -> None:
    logits = torch.stack([SURE, SURE])
    other = torch.stack([SURE, SURE.flip(0)])
    torch.testing.assert_close(TASK.sureness(logits, "agreement", other), torch.tensor([1.0, 0]))
    with pytest.raises(DataError, match="agreement is of two outputs, and one was given"):
        sureness(logits.softmax(1), "agreement")


@pytest.mark.parametrize("scale", [0.05, 0.3, 1.0, 4.0, 20.0])
def test_the_temperature_is_the_one_that_a_slow_search_finds(scale: float) -> None:
    generator = torch.Generator().manual_seed(int(100 * scale))
    logits = torch.randn(300, 7, generator=generator) * 2
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]

    def nats(inverse: float) -> float:
        return float(functional.cross_entropy(logits.double() * scale * inverse, labels))

    slow = minimize_scalar(nats, bounds=(1e-2, 1e2), method="bounded", options={"xatol": 1e-9})
    assert fit_temperature(logits * scale, labels) == pytest.approx(1 / slow.x, rel=1e-2)


def test_temperatures_stay_in_bounds_where_all_or_nothing_is_right() -> None:
    logits = torch.eye(5) * 3
    assert 0.02 <= fit_temperature(logits, torch.arange(5)) < 0.2
    assert fit_temperature(logits, torch.arange(5).flip(0)) == pytest.approx(50, rel=0.5)
    assert fit_temperature(torch.ones(5, 3), torch.zeros(5).long()) == 1
    assert fit_temperature(logits[:0], torch.zeros(0).long()) == 1


def test_pixels_that_do_not_count_have_no_part_in_the_temperature() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 3, 4, 4, generator=generator)
    labels = torch.randint(0, 3, (6, 4, 4), generator=generator).to(torch.uint8)
    labels[:, :3] = logits[:, :, :3].argmax(1)
    task = Segmentation(validation=ns.Samples(torch.rand(6, 3, 4, 4), labels), classes=3)
    void = labels.clone()
    void[:, 2:] = 255
    half = task.temperature(logits[:, :, :2], labels[:, :2])
    assert task.temperature(logits, void) == pytest.approx(half, rel=1e-3)
    assert half != pytest.approx(task.temperature(logits, labels), rel=1e-2)


def test_the_temperature_of_maps_is_that_of_all_their_pixels_in_a_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(70, 3, 5, 5, generator=generator)
    labels = torch.randint(0, 3, (70, 5, 5), generator=generator).to(torch.uint8)
    labels[torch.rand(labels.shape, generator=generator) < 0.3] = 255
    labels[9] = 255
    task = Segmentation(validation=ns.Samples(torch.rand(70, 3, 5, 5), labels), classes=3)
    some = spaced(70, 64)
    counts = labels[some] != 255
    pixels = logits[some].movedim(1, -1)[counts], labels[some][counts]
    for numbers in (confidence.NUMBERS, 1000, 50):
        monkeypatch.setattr(confidence, "NUMBERS", numbers)
        assert task.temperature(logits, labels) == fit_temperature(*pixels)


def test_an_object_that_is_a_task_brings_its_own_confidence() -> None:
    class Own:
        validation, training, test, output, ensemble = SAMPLES, None, None, None, "logits"
        combine = loss = accuracy = correct = None
        confidences = ("margin",)

        def sureness(self, outputs: torch.Tensor, kind: str, before: object) -> torch.Tensor:
            return outputs.amax(1)

    task = as_task(Own())
    assert task.confidences == ("margin",)
    assert task.sureness is not None
    assert task.sureness(torch.eye(3), "margin", None).tolist() == [1, 1, 1]
    assert np.array_equal(CONFIDENCES, TASK.confidences)


def test_an_answer_is_as_likely_as_other_outputs_take_it_to_be() -> None:
    logits, others = torch.eye(4)[:2], torch.tensor([[2.0, 0, 0, 1], [0.0, 3, 1, 1]])
    found = TASK.likely(logits, others, torch.tensor([3, 3]))
    expected = torch.stack([others.softmax(1)[0, 0], others.softmax(1)[1, 1]]).double()
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_pixels_that_do_not_count_have_no_part_in_what_is_likely() -> None:
    generator = torch.Generator().manual_seed(1)
    logits, others = torch.randn(2, 3, 3, 2, 2, generator=generator)
    labels = torch.tensor([[[0, 255], [1, 2]], [[255, 255]] * 2, [[0, 1], [2, 0]]])
    labels = labels.to(torch.uint8)
    task = Segmentation(validation=ns.Samples(torch.rand(3, 3, 2, 2), labels), classes=3)
    found = task.likely(logits, others, labels)
    for image in range(3):
        shares = [
            float(others[image, :, y, x].softmax(0)[logits[image, :, y, x].argmax()])
            for y in range(2)
            for x in range(2)
            if labels[image, y, x] != 255
        ]
        assert float(found[image]) == pytest.approx(np.mean(shares) if shares else 1)
