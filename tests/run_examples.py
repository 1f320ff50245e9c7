"""A tiny experiment on disk, and what a run reports to in tests."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from netstitch.events import Advanced, Event, Message, StageBegan
from netstitch.runs.listeners import RunLog
from netstitch.searching.search_progress import SearchAdvanced

FEATURES, CLASSES = 6, 3

MODELS = """
import torch
from torch import nn


class Chain(nn.Module):
    def __init__(self, *widths):
        super().__init__()
        self.body = nn.Sequential()
        for n, m in zip(widths, widths[1:]):
            self.body.append(nn.Linear(n, m))
            self.body.append(nn.Tanh())
        self.head = nn.Linear(widths[-1], 3)

    def forward(self, x):
        return self.head(self.body(x))


class Two(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, width), nn.Tanh(), nn.Linear(width, 5), nn.Tanh())
        self.out, self.aux = nn.Linear(5, 3), nn.Linear(5, 2)

    def forward(self, x):
        x = self.body(x)
        return {"out": self.out(x), "aux": self.aux(x)}


class Branching(nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x[:, :3]
        return x[:, 3:]


class Direct(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        return self.head(x)


class NeedsEight(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(x)


class Wider(Chain):
    def __init__(self):
        super().__init__(6, 7, 5)
        self.head = nn.Linear(5, 4)


def wide():
    return Chain(6, 8, 7, 5)


def deep():
    return Chain(6, 4, 6, 5, 5)


two_a = lambda: Two(7)
two_b = lambda: Two(9)
branching, direct, needs_eight, wider = Branching, Direct, NeedsEight, Wider
"""

EXPERIMENT = """
seed = 1
[[networks]]
model = "models.py:wide"
weights = "wide.safetensors"
[[networks]]
model = "models.py:deep"
weights = "deep.safetensors"
[task]
classes = 3
[task.training]
source = "train.npz"
[task.validation]
source = "val.npz"
[task.test]
source = "test.npz"
[fit]
batch = 16
[refine]
steps = 5
[evaluation]
executor = "serial"
in_flight = 1
[search]
evaluations = 60
population = 8
"""


def build(name: str) -> nn.Module:
    """A model of MODELS, with fixed random weights."""
    space: dict[str, object] = {}
    exec(MODELS, space)
    torch.manual_seed(len(name))
    made = space[name]()  # type: ignore[operator]
    assert isinstance(made, nn.Module)
    return made.eval()


def arrays(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (count, 6), and labels that the inputs decide."""
    inputs = np.random.default_rng(seed).normal(size=(count, FEATURES)).astype(np.float32)
    return inputs, inputs[:, :CLASSES].argmax(1)


def write_experiment(folder: Path, *changes: tuple[str, str]) -> Path:
    """An experiment with its models, weights and samples; changes replace text of its file."""
    (folder / "models.py").write_text(MODELS)
    for name in ("wide", "deep"):
        save_file(build(name).state_dict(), folder / f"{name}.safetensors")
    for seed, (name, count) in enumerate({"train": 90, "val": 41, "test": 33}.items()):
        inputs, labels = arrays(count, seed)
        np.savez(folder / f"{name}.npz", inputs=inputs, labels=labels)
    text = EXPERIMENT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "tiny.toml"
    path.write_text(text)
    return path


class Quiet:
    """A listener that remembers, keeps the run's log, and may do something meanwhile."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self.evaluated = 0
        self._log = RunLog()

    def __call__(self, event: Event) -> None:
        self._log(event)
        match event:
            case StageBegan():
                self.stages.append(event.name)
            case Message():
                self.lines.append(str(event))
                if event.warning and str(event) not in self.warnings:
                    self.warnings.append(str(event))
            case Advanced():
                assert event.total is None or event.done <= event.total
            case SearchAdvanced():
                self.evaluated = event.progress.evaluated


class InterruptingRefining(Quiet):
    """Presses Ctrl-C after two steps of refining."""

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if isinstance(event, Advanced) and event.text.startswith("refine") and event.done == 2:
            raise KeyboardInterrupt


class Interrupting(Quiet):
    """Presses Ctrl-C after some evaluations."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if isinstance(event, SearchAdvanced) and event.progress.evaluated >= self.after:
            raise KeyboardInterrupt
