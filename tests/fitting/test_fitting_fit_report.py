import json

import pytest

from netstitch.errors import StorageError
from netstitch.fitting import FitReport, StitchFit
from netstitch.stitching.stitch import FeatureRef

REPORT = FitReport(
    method="least-squares",
    settings={"ridge": 1e-4, "seed": None},
    samples=3584,
    held_out=512,
    seconds=1.5,
    rows=(
        StitchFit(0, FeatureRef(0, "conv1"), FeatureRef(1, "stem"), 0.25),
        StitchFit(0, FeatureRef(1, "stem"), FeatureRef(0, "conv1"), None),
    ),
)


def test_survives_a_json_file() -> None:
    assert FitReport.from_json(json.loads(json.dumps(REPORT.to_json(), allow_nan=False))) == REPORT


def test_table_has_a_row_per_stitch() -> None:
    assert REPORT.table() == [
        ("match", "source", "target", "relative error"),
        ("0", "0: conv1", "1: stem", "0.2500"),
        ("0", "1: stem", "0: conv1", "target is constant"),
    ]


@pytest.mark.parametrize("entry", ["method", "rows", "held_out"])
def test_a_missing_entry_is_named(entry: str) -> None:
    data = REPORT.to_json()
    del data[entry]
    with pytest.raises(StorageError, match=entry):
        FitReport.from_json(data)


@pytest.mark.parametrize("rows", [3, [3], [{"match": "x"}], [None]])
def test_other_data_is_refused(rows: object) -> None:
    with pytest.raises(StorageError):
        FitReport.from_json(REPORT.to_json() | {"rows": rows})
