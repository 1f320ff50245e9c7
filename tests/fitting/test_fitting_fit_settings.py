"""Settings are held against the model that declares them, which is the only place that does."""

from typing import Any

import numpy as np
import pytest

from netstitch.errors import FittingError
from netstitch.files.settings import setting_text
from netstitch.fitting import AdamSettings, LeastSquaresSettings, RefineSettings
from netstitch.fitting.fit_settings import check_threads


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate": 1, "steps": 2, "seconds": None},
        {"seconds": np.float32(3), "steps": np.int64(4)},
        {"loss": print, "teacher": "x"},
    ],
)
def test_settings_that_fit(settings: dict[str, Any]) -> None:
    found = RefineSettings(**settings)
    assert {key: getattr(found, key) for key in settings} == settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stops": 1}, "refine has no setting 'stops'; did you mean 'steps'[?] expected one of "),
        ({"chekpoint": 1}, "no setting 'chekpoint'; did you mean 'checkpoint'"),
        ({"learning_rate": "1"}, "learning_rate is '1'; expected a valid number$"),
        ({"batch_size": 2.5}, "batch_size is 2.5; expected a valid integer$"),
        ({"batch_size": None}, "batch_size is None; expected a valid integer$"),
        ({"seconds": "x"}, "seconds is 'x'; expected a valid number$"),
        ({"teacher": 3}, "teacher is 3; expected a valid string$"),
        ({"batch_size": 0}, "batch_size is 0; expected 1 or more$"),
        ({"holdout": 0.6}, "holdout is 0.6; expected 0.5 or less$"),
        ({"loss": "label"}, "loss is 'label'; did you mean 'labels'[?] expected one of "),
        ({"learning_rate": "x", "stops": 1}, "no setting 'stops'"),
    ],
)
def test_settings_that_do_not(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(FittingError, match=message):
        RefineSettings.from_keywords(settings, ("checkpoint",))


@pytest.mark.parametrize("model", [LeastSquaresSettings, AdamSettings, RefineSettings])
def test_every_setting_has_a_default_and_a_text(model: type[AdamSettings]) -> None:
    assert model(**model().model_dump()) == model()
    assert all(setting_text(model, name) for name in model.model_fields)


@pytest.mark.parametrize("threads", [0, "2", 2.0, True])
def test_threads_are_a_whole_number(threads: Any) -> None:
    with pytest.raises(FittingError, match=r"threads is .*; expected a whole number of 1 or more"):
        check_threads(threads)
    check_threads(1)
    check_threads(None)
