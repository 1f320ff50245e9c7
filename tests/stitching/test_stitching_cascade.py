"""Cascades that are made by hand: what they cannot be is told when they are made."""

from typing import Any

import numpy as np
import pytest

from netstitch.errors import StitchingError
from netstitch.stitching import Cascade, CascadeStage

FIRST, LAST = CascadeStage((0, 0), 0.5), CascadeStage((0, 1))


def test_numbers_may_be_of_numpy() -> None:
    stage = CascadeStage((0, 0), np.float32(0.5), "mean", (np.float64(1.5), 2))  # type: ignore[arg-type]
    assert Cascade((stage, LAST), "margin").thresholds == (0.5,)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"threshold": "a"}, "the threshold 'a' of a stage is not between 0 and 1"),
        ({"threshold": 1.0}, "the threshold 1.0 of a stage is not between 0 and 1"),
        ({"threshold": float("nan")}, "the threshold nan of a stage is not between 0 and 1"),
        ({"answer": "meen"}, "the answer of a stage is 'meen'; did you mean 'mean'? expected one"),
        ({"answer": 3}, "the answer of a stage is 3; expected one of own, mean"),
        ({"temperatures": (1.0, -1.0)}, "the temperatures of a stage are (1.0, -1.0); expected a"),
        ({"temperatures": (0,)}, "are (0,); expected a tuple of numbers over 0, one for each"),
        ({"temperatures": (float("nan"),)}, "are (nan,); expected a tuple of numbers over 0"),
        ({"temperatures": (float("inf"),)}, "are (inf,); expected a tuple of numbers over 0"),
        ({"temperatures": ("1",)}, "are ('1',); expected a tuple of numbers over 0"),
        ({"temperatures": 1.5}, "are 1.5; expected a tuple of numbers over 0"),
    ],
)
def test_stages_that_cannot_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(StitchingError) as caught:
        CascadeStage((0, 0), **fields)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "stages, confidence, message",
    [
        (((0, 0), LAST), "margin", "stage 1 of a cascade is a tuple; expected netstitch.stitching"),
        (
            (FIRST, None),
            "margin",
            "stage 2 of a cascade is a NoneType; expected netstitch",
        ),
        (FIRST, "margin", "the stages of a cascade are a CascadeStage; expected a tuple of"),
        ((LAST,), "margin", "a cascade has 1 stage; give two or more"),
        ((), "margin", "a cascade has 0 stages; give two or more"),
        ((LAST, LAST), "margin", "stage 1 of a cascade has no threshold; expected one between 0"),
        ((FIRST, FIRST), "margin", "the last stage has a threshold; it answers all that reach it"),
        ((FIRST, LAST), "foo", "the confidence of a cascade is 'foo'; expected one of probability"),
        ((FIRST, LAST), "margins", "did you mean 'margin'? expected one of probability"),
    ],
)
def test_cascades_that_cannot_be(stages: Any, confidence: Any, message: str) -> None:
    with pytest.raises(StitchingError) as caught:
        Cascade(stages, confidence)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
