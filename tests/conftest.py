"""Settings for all tests, and how they can be interrupted."""

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest
import torch

# Test tensors are small; threads inside operations would only fight over the cores.
torch.set_num_threads(1)

# A busy machine fails no test by being slow. Random inputs are new ones at every run here and the
# same ones in CI, where a test that fails says something about the change.
hypothesis.settings.register_profile(
    "netstitch", deadline=None, derandomize=os.environ.get("CI") == "true"
)
hypothesis.settings.load_profile("netstitch")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded images of tests are kept apart from those of the user."""
    monkeypatch.setenv("NETSTITCH_CACHE", str(tmp_path_factory.getbasetemp() / "decoded"))


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The key that runs of tests are signed with is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / "state"))
        yield


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Interruptions are ignored from the start where a shell runs tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
