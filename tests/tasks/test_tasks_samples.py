import pytest
import torch

from netstitch.errors import DataError
from netstitch.files.alignment import ALIGNMENT, is_aligned
from netstitch.tasks import Samples


def numbers(count: int, classes: int = 3) -> Samples:
    return Samples(torch.arange(count * 2.0).reshape(count, 2), torch.arange(count) % classes)


def test_batches_hold_every_sample_once_and_in_order():
    samples = numbers(10)
    parts = list(samples.batches(4))
    assert [len(part) for part in parts] == [4, 4, 2]
    assert torch.equal(torch.cat(parts), samples.inputs)


def test_batches_can_be_passed_over_again():
    batches = numbers(10).batches(4)
    assert len(batches) == 3
    assert len(list(batches)) == len(list(batches)) == 3


def test_batches_are_views_where_they_begin_on_a_boundary_of_memory_and_else_copies():
    samples = numbers(20)
    for size in (4, 8):  # of 32 and 64 bytes
        for index, part in enumerate(samples.batches(size)):
            assert is_aligned(part)
            start = samples.inputs.data_ptr() + index * size * 8
            assert (part.data_ptr() == start) == (start % ALIGNMENT == 0)
            assert torch.equal(part, samples.inputs[index * size : (index + 1) * size])
    assert torch.equal(samples.batches(8)[2], samples.inputs[16:])
    for index in (3, -1):
        with pytest.raises(IndexError, match=f"no batch {index} of 3"):
            samples.batches(8)[index]


def test_first_samples():
    samples = numbers(10).first(3)
    assert len(samples) == 3
    assert samples.labels.tolist() == [0, 1, 2]
    assert samples.shape == (2,)


def test_shuffled_samples_are_the_same_in_another_order_that_the_seed_decides():
    samples = Samples(torch.arange(60.0).reshape(60, 1), torch.arange(60) // 20, "training")
    shuffled = samples.shuffled(7)
    assert shuffled.name == "training"
    assert not torch.equal(shuffled.inputs, samples.inputs)
    assert torch.equal(shuffled.inputs.sort(dim=0).values, samples.inputs)
    assert torch.equal(shuffled.labels, shuffled.inputs[:, 0].long() // 20)  # each keeps its own
    assert torch.equal(shuffled.inputs, samples.shuffled(7).inputs)
    assert not torch.equal(shuffled.inputs, samples.shuffled(8).inputs)


def test_the_first_of_shuffled_samples_are_of_all_classes():
    by_class = Samples(torch.zeros(300, 1), torch.arange(300) // 100)
    assert set(by_class.first(30).labels.tolist()) == {0}
    assert set(by_class.shuffled(1).first(30).labels.tolist()) == {0, 1, 2}


def test_a_batch_size_of_zero_is_refused():
    with pytest.raises(DataError, match="batch size of 0"):
        numbers(3).batches(0)


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64), "train: there are no samples"),
        (torch.zeros(3, 0), torch.zeros(3, dtype=torch.int64), r"inputs have shape \(3, 0\)"),
        (torch.zeros(3), torch.zeros(3, dtype=torch.int64), r"inputs have shape \(3,\)"),
        (torch.zeros(3, 2), torch.zeros(2, dtype=torch.int64), "3 inputs but 2 labels"),
        (torch.zeros(3, 2), torch.zeros(3, 4, dtype=torch.int64), "one-hot"),
        (torch.zeros(3, 2).double(), torch.zeros(3, dtype=torch.int64), "inputs are float64"),
        (torch.zeros(3, 2), torch.zeros(3), "labels are float32; expected int64"),
        (torch.zeros(3, 2, 4, 4), torch.zeros(3, 1, 4, 4).byte(), r"give labels\.squeeze\(1\)"),
        (torch.zeros(3, 2), torch.tensor([0, -1, -2]), r"label -1 of sample 1 .*\(2 such\)"),
    ],
)
def test_what_is_no_data_set_is_refused(inputs, labels, message):
    with pytest.raises(DataError, match=message) as raised:
        Samples(inputs, labels, "train")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("index", [0, 255, 256, 599])
def test_a_number_that_is_not_finite_is_found(value, index):
    inputs = torch.zeros(600, 2)
    inputs[index, 1] = value
    inputs[599, 0] = value
    count = len({index, 599})
    with pytest.raises(DataError, match=f"of {count} of 600 samples, the first is sample {index};"):
        Samples(inputs, torch.zeros(600, dtype=torch.int64))
