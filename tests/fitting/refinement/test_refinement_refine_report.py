"""Reports go to JSON and back, with losses that JSON has no numbers for."""

import json
import math
from dataclasses import replace

import pytest

from netstitch.errors import StorageError
from netstitch.fitting import RefineReport, StitchRefined
from netstitch.fitting.refinement.refine_report import CurvePoint
from netstitch.stitching.stitch import FeatureRef

A, B = FeatureRef(0, "layer1.conv"), FeatureRef(1, "features.3")

REPORT = RefineReport(
    settings={"loss": "outputs", "steps": 20, "seconds": None, "learning_rate": 0.01},
    steps=20,
    samples=640,
    distinct=84,
    left_out=3,
    chosen_on=6,
    reported_on=6,
    seconds=1.5,
    several_before=0.4,
    several_after=0.3,
    curve=(CurvePoint(0, 0.0, 0.5), CurvePoint(20, 1.0, 0.25)),
    rows=(
        StitchRefined(0, A, B, before=0.5, after=0.25, kept=True, diverged=None),
        StitchRefined(0, B, A, before=0.5, after=0.5, kept=False, diverged=7),
        StitchRefined(1, A, B, before=None, after=None, kept=False, diverged=None),
    ),
)


def test_json_and_back() -> None:
    assert RefineReport.from_json(json.loads(json.dumps(REPORT.to_json()))) == REPORT


def test_losses_that_are_not_finite_are_no_json_numbers() -> None:
    odd = REPORT.model_copy(
        update={
            "several_before": math.inf,
            "curve": (CurvePoint(0, 0.0, math.inf),),
            "rows": (replace(REPORT.rows[0], before=math.inf),),
        }
    )
    text = json.dumps(odd.to_json(), allow_nan=False)
    assert RefineReport.from_json(json.loads(text)) == odd


def test_a_table_for_the_terminal() -> None:
    header, kept, diverged, unused = REPORT.table()
    assert header[:3] == ("match", "source", "target")
    assert kept[3:] == ("0.5000", "0.2500", "kept")
    assert diverged[3:] == ("0.5000", "0.5000", "diverged in step 7")
    assert unused[3:] == ("unused", "unused", "as before")


@pytest.mark.parametrize("change", [{"steps": None}, {"rows": 3}, {"curve": [{}]}])
def test_damage_is_told(change: dict[str, object]) -> None:
    with pytest.raises(StorageError, match="the refine report is damaged"):
        RefineReport.from_json(REPORT.to_json() | change)
    with pytest.raises(StorageError, match="the refine report is damaged"):
        RefineReport.from_json({})
