"""Settings for all tests, and how they can be interrupted."""

import signal
from collections.abc import Iterator

import pytest
import torch

# Test tensors are small; threads inside operations would only fight over the cores.
torch.set_num_threads(1)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Where tests run in the background of a shell, interruptions are ignored from the start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
