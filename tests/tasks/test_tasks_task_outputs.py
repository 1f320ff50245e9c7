import pytest
import torch

from netstitch.errors import DataError
from netstitch.tasks import check_finite, select

LOGITS, OTHER = torch.zeros(2, 3), torch.ones(2, 3)


def test_a_tensor_is_taken_as_it_is():
    assert select(LOGITS, None) is LOGITS
    assert select(LOGITS, "out") is LOGITS


def test_the_named_entry_of_a_dictionary():
    assert select({"out": LOGITS, "aux": OTHER}, "aux") is OTHER


def test_the_only_entry_of_a_dictionary_needs_no_name():
    assert select({"out": LOGITS}, None) is LOGITS


def test_several_entries_need_a_name():
    with pytest.raises(DataError, match=r"2 keys \('out', 'aux'\)"):
        select({"out": LOGITS, "aux": OTHER}, None)


def test_an_absent_entry_is_named():
    with pytest.raises(DataError, match="no key 'logits'; they have 'out'"):
        select({"out": LOGITS}, "logits")


def test_where_outputs_are_not_finite():
    outputs = torch.zeros(5, 2, 2)
    check_finite(outputs)
    outputs[3, 1, 0] = float("nan")
    outputs[4] = float("inf")
    with pytest.raises(DataError, match="of 2 of 5 samples, the first is sample 3"):
        check_finite(outputs)
