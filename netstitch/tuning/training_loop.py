"""Fine-tuning as steps that a checkpoint keeps, whatever is learned in them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from math import cos, pi
from pathlib import Path
from time import monotonic
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from netstitch.events import StepsCallback
from netstitch.files.checkpoint import (
    Tensors,
    TrainingCheckpoint,
    fingerprint_of,
    restore_training,
    training_tensors,
)
from netstitch.files.documents import Document
from netstitch.networks.graph import Graph
from netstitch.supernet.decisions import AnySubnetwork
from netstitch.supernet.supernet import Supernet
from netstitch.threads import threads
from netstitch.tuning.trained_weights import orders
from netstitch.tuning.tuning_settings import FineTuneSettings

SAVED_EVERY = 60.0
"""Seconds of training that a kill may cost."""


class TuningState(Document):
    """The document of a checkpoint.

    Attributes:
        losses: Of each step so far.
        threads: Threads inside operations, on which last bits depend.
    """

    losses: tuple[float, ...]
    threads: Annotated[int, Field(ge=1, le=4096)]


class TuningSteps(ABC):
    """The steps of a fine-tuning, and how many of them are done.

    Args:
        trained: The parameters that are trained, by key; they are changed in place.
        count: How many samples are trained on.
        settings: For how long, and how fast.

    Attributes:
        document: The class of its checkpoint's document.
        losses: Of each step that led to where training is.
        whole: Whether no step is half done, as when Ctrl-C comes while weights move.
    """

    document: type[TuningState] = TuningState

    def __init__(
        self, trained: Mapping[str, nn.Parameter], count: int, settings: FineTuneSettings
    ) -> None:
        self.trained, self.settings = trained, settings
        self._orders = orders(count, settings)
        self.losses: list[float] = []
        self.whole = True
        self.optimizer = self._new_optimizer()

    @property
    def steps(self) -> int:
        """The number of steps in all."""
        return len(self._orders)

    @property
    def rate(self) -> float:
        """The learning rate of the first step."""
        return self.settings.learning_rate

    @property
    def ended(self) -> bool:
        """True where all is done."""
        return len(self.losses) == self.steps

    @property
    def text(self) -> str:
        """The last loss."""
        return f"loss {self.losses[-1]:.4g}"

    @abstractmethod
    def advance(self) -> None:
        """Do one step; raises FittingError where training diverges."""

    def state(self) -> TuningState:
        """Return the document of a checkpoint."""
        return TuningState(losses=tuple(self.losses), threads=torch.get_num_threads())

    def tensors(self) -> Tensors:
        """Return the tensors of a checkpoint."""
        return training_tensors(self.trained, self.optimizer)

    def restore(self, state: TuningState, tensors: Tensors) -> None:
        """Set it to a state and tensors from a checkpoint."""
        self.losses = list(state.losses)
        restore_training(self.trained, self.optimizer, tensors)

    def _begin_step(self) -> Tensor:
        """Set the rate and drop the gradients; return the indices of the step's samples."""
        step = len(self.losses)
        share = (1 + cos(pi * step / self.steps)) / 2
        self.optimizer.param_groups[0]["lr"] = self.rate * share
        self.optimizer.zero_grad()
        return self._orders[step]

    def _end_step(self, loss: float) -> None:
        """Move the weights, and note the loss before that."""
        self.whole = False
        self.optimizer.step()
        self.losses.append(loss)
        self.whole = True

    def _new_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.trained.values(), lr=self.rate)


def train(
    steps: TuningSteps, file: TrainingCheckpoint | None, progress: StepsCallback | None
) -> bool:
    """Do the steps that are left, and return whether Ctrl-C ended them.

    With a file, training goes on from it where it is there, and is kept in it each minute, at the
    end and after Ctrl-C, which then stays KeyboardInterrupt.

    Raises:
        FittingError: Training diverges.
        StorageError: The file cannot be written, is damaged, or of another training.
    """
    count, saved = torch.get_num_threads(), monotonic()
    if file is not None and file.exists():
        with file.reading(steps.document) as (state, tensors):
            steps.restore(state, tensors)
            count = state.threads

    def save() -> None:
        if file is not None and steps.whole:  # half a step is not kept: the one before it is there
            file.write(steps.state().model_dump(mode="json"), steps.tensors())

    with threads(count):
        try:
            while not steps.ended:
                steps.advance()
                if monotonic() - saved >= SAVED_EVERY:
                    save()
                    saved = monotonic()
                if progress is not None:
                    progress(len(steps.losses), steps.steps, steps.text)
            save()
        except KeyboardInterrupt:
            save()
            if file is not None:
                raise
            return True
    return False


def parameters_of(
    supernet: Supernet, chosen: AnySubnetwork, keys: Iterable[str], device: torch.device | str
) -> tuple[dict[str, Tensor], dict[str, nn.Parameter]]:
    """Return a network's tensors on a device, and copies of those at `keys` as parameters."""
    _, weights = supernet.subnetwork_graph(chosen)
    tensors = {key: tensor.detach().to(device) for key, tensor in weights.items()}
    trained = {key: nn.Parameter(tensors[key].clone()) for key in keys}
    return tensors | trained, trained


def checkpoint_of(
    path: Path | None,
    graph: Graph,
    settings: FineTuneSettings,
    compared: Iterable[Tensor],
) -> TrainingCheckpoint | None:
    """Return the checkpoint of a training that has not begun; None where there is no path.

    Training goes on from it where graph, settings and all tensors in `compared` (weights, samples)
    are equal.
    """
    if path is None:
        return None
    fixed = {"graph": [node.name for node in graph.nodes], **settings.model_dump()}
    mark = fingerprint_of(fixed, compared)
    return TrainingCheckpoint(path, "netstitch-tuning-3", "fine-tuning", mark)
