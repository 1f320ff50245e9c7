import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from netstitch.errors import DataError
from netstitch.events import Advanced
from netstitch.tasks import from_dataset


class Items(Dataset):
    """A dataset of whatever items a test gives it; exceptions are raised."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        if isinstance(self.items[index], Exception):
            raise self.items[index]
        return self.items[index]


def good(count: int) -> list:
    return [(torch.full((2, 3), float(index)), index % 4) for index in range(count)]


@pytest.mark.parametrize("workers", [0, 2])
def test_all_items_are_decoded_in_order(workers):
    samples = from_dataset(Items(good(37)), workers=workers, name="test")
    assert samples.inputs[:, 0, 0].tolist() == list(range(37))
    assert samples.labels.tolist() == [index % 4 for index in range(37)]
    assert samples.shape == (2, 3)
    assert samples.name == "test"


def test_torch_datasets():
    inputs, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    samples = from_dataset(TensorDataset(inputs, labels))
    assert torch.equal(samples.inputs, inputs)
    assert torch.equal(samples.labels, labels)


def test_a_limit_takes_the_first_and_decodes_no_more():
    items = [*good(5), RuntimeError("never asked for")]
    assert len(from_dataset(Items(items), limit=5)) == 5
    assert len(from_dataset(Items(good(3)), limit=5)) == 3


def test_labels_of_other_integer_types():
    value = torch.zeros(1)
    labels = [np.int16(1), torch.tensor(2), np.array(3), 0, np.array([1]), torch.tensor([2])]
    items = [(value, label) for label in labels]
    assert from_dataset(Items(items)).labels.tolist() == [1, 2, 3, 0, 1, 2]


def test_progress_ends_at_the_total():
    told = []
    from_dataset(Items(good(37)), listener=told.append)
    assert [event.done for event in told] == [16, 32, 37]
    assert told[-1] == Advanced(37, 37, "validation")


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (torch.zeros(2, 3), "item 20 is a Tensor; expected"),
        ((torch.zeros(2, 3), 1, 2), r"item 20 is a tuple \(Tensor, int, int\); expected"),
        ((np.zeros((2, 3)), 1), r"item 20 is a tuple \(ndarray, int\)"),
        ((torch.zeros(2, 3), 1.0), "item 20 has the label 1.0; expected an integer"),
        ((torch.zeros(2, 3), "cat"), "item 20 has the label 'cat'"),
        ((torch.zeros(2, 3), True), "item 20 has the label True"),
        ((torch.zeros(2, 3, dtype=torch.uint8), 1), "item 20 holds a tensor of uint8"),
        ((torch.zeros(2, 4), 1), r"item 20 has shape \(2, 4\) but item 0 has \(2, 3\)"),
        (ValueError("no such\nrow"), r"item 20 cannot be read \(ValueError: no such row\)"),
    ],
)
@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_item_is_named(item, message, workers):
    with pytest.raises(DataError, match=f"validation: {message}") as raised:
        from_dataset(Items([*good(20), item, *good(20)]), workers=workers)
    assert "\n" not in str(raised.value)


def test_no_items():
    with pytest.raises(DataError, match="the data set is empty"):
        from_dataset(Items([]))


def test_a_senseless_limit():
    with pytest.raises(DataError, match="limit of 0"):
        from_dataset(Items(good(3)), limit=0)


def test_a_stream_without_length():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(good(3))

    with pytest.raises(DataError, match="a Stream has no length"):
        from_dataset(Stream())
