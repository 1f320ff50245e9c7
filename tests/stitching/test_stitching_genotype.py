"""Genotypes: made by name, and checked."""

from typing import Any

import numpy as np
import pytest

from netstitch.errors import StitchingError
from netstitch.stitching import check_genotype, make_genotype

CARDINALITIES = (2, 2, 3, 3)
OUTPUTS = ("resnet", "vit", "ensemble")


def make(output: Any = 0, stitches: Any = ()) -> list[int]:
    return make_genotype(CARDINALITIES, OUTPUTS, output, stitches).tolist()


def test_all_original_but_for_what_is_named() -> None:
    assert make() == [0, 0, 0, 0]
    assert make("ensemble") == [0, 0, 0, 2]
    assert make("vit", [0, 2]) == [1, 0, 1, 1]
    assert make(2, {2: 2}) == [0, 0, 2, 2]


@pytest.mark.parametrize(
    ("output", "stitches", "reason"),
    [
        ("vt", (), "did you mean 'vit'"),
        ("x", (), "expected one of resnet, vit, ensemble"),
        (3, (), "switch 3 cannot take choice 3"),
        (-1, (), "cannot take choice -1"),
        (0, [3], "switch 3 does not exist"),
        (0, [-1], "switch -1 does not exist"),
        (0, {0: 2}, "switch 0 cannot take choice 2"),
        (None, (), "output is None; expected one of resnet, vit, ensemble"),
        (0, 3, "stitches are 3; expected the numbers of switches"),
        (0, "01", "stitches are '01'"),
        (0, [0.5], r"stitches are \[0.5\]"),
    ],
)
def test_what_does_not_exist(output: Any, stitches: Any, reason: str) -> None:
    with pytest.raises(StitchingError, match=reason):
        make(output, stitches)


@pytest.mark.parametrize(
    "genotype", [[1, 0, 2, 2], (1, 0, 2, 2), np.array([1, 0, 2, 2], dtype=np.uint8)]
)
def test_any_sequence_of_integers_is_a_genotype(genotype: Any) -> None:
    checked = check_genotype(CARDINALITIES, genotype)
    assert checked.dtype == np.int64
    assert checked.tolist() == [1, 0, 2, 2]


@pytest.mark.parametrize(
    "genotype",
    [[], [0, 0, 0], [0] * 5, [[0, 0, 0, 0]], [0.0, 0, 0, 0], [True] * 4, ["0"] * 4, None, 3,
     [[0], [0, 0]], [2, 0, 0, 0], [0, 0, 0, -1], "0000"],
)  # fmt: skip
def test_what_is_no_genotype(genotype: Any) -> None:
    with pytest.raises(StitchingError) as caught:
        check_genotype(CARDINALITIES, genotype)
    assert "\n" not in str(caught.value)
