"""The sets of networks that the output switch offers."""

from typing import Any

import numpy as np
import pytest

from netstitch.errors import StitchingError
from netstitch.stitching.output_choices import default_outputs, output_choices

NAMES = {"wide": 0, "deep": 1, "old": 2}


@pytest.mark.parametrize(
    "count, expected",
    [
        (2, ["0", "1", "01"]),
        (3, ["0", "1", "2", "01", "02", "12", "012"]),
        (4, ["0", "1", "2", "3", "01", "02", "03", "12", "13", "23", "0123"]),
        (5, ["0", "1", "2", "3", "4", "01234"]),
    ],
)
def test_by_default_each_network_each_pair_of_up_to_four_and_all(
    count: int, expected: list[str]
) -> None:
    assert ["".join(map(str, subset)) for subset in default_outputs(count)] == expected
    assert output_choices(count, None) == default_outputs(count)


def test_networks_go_by_number_or_name_and_keep_their_order() -> None:
    given = [["old"], ("deep", 0), np.array([2, 1])]
    assert output_choices(3, given, NAMES) == ((2,), (1, 0), (2, 1))


@pytest.mark.parametrize(
    "outputs, reason",
    [
        ([], "outputs is an empty list; expected one or more sets of networks"),
        ([[]], "[] of the outputs is no set of networks; expected one or more, none twice"),
        ([[0], [1, 1]], "[1, 1] of the outputs is no set of networks"),
        ([["wide", 0]], "['wide', 0] of the outputs is no set of networks"),
        ([[0, 1], [2], ["deep", "wide"]], "['deep', 'wide'] is twice among the outputs"),
        ([["dep"]], "network 'dep', which is none; did you mean 'deep'? expected one of wide,"),
        ([[3]], "network 3, which is none; expected one of wide, deep, old, or a number of 0 to 2"),
        ([[-1]], "network -1"),
        ([[0.0]], "network 0.0"),
        ([0, 1], "outputs is [0, 1]; expected a list of sets of networks, such as [['wide']"),
        ("all", "outputs is 'all'; expected a list"),
        (2, "outputs is 2; expected a list"),
    ],
)
def test_what_is_no_list_of_sets_is_refused_in_one_line(outputs: Any, reason: str) -> None:
    with pytest.raises(StitchingError) as caught:
        output_choices(3, outputs, NAMES)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_names_networks_go_by_number() -> None:
    with pytest.raises(StitchingError, match="network 'deep', which is none; expected numbers of"):
        output_choices(3, [["deep"]])
