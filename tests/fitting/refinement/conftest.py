"""Settings for the tests of refining."""

import pytest
from refinement_examples import judge_little


@pytest.fixture(autouse=True)
def _little_to_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    judge_little(monkeypatch)
