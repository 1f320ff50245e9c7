"""An evaluator for workers on other machines, to each of which it goes once."""

from collections.abc import Sequence
from typing import Any

import torch

from netstitch.evaluation.cache import Usage
from netstitch.evaluation.evaluator import Evaluator
from netstitch.evaluation.mapped import Packed, pack, unpack
from netstitch.evaluation.objectives import Objectives, Values
from netstitch.evaluation.shared import alone_with
from netstitch.optimization.executor import Bounded, Floors
from netstitch.optimization.problem import Genotype


class SentEvaluation:
    """Accuracy and multiply-adds of genotypes, for the workers of a `RayExecutor`.

    evaluator: on the CPU; its tensors are sent as one array, which the workers of a machine share.
    device: of each worker, as it sees its machine: Ray shows it the GPU that it may use.
    budget: bytes of activations that each worker keeps, if the evaluator keeps any.
    """

    def __init__(self, evaluator: Evaluator, *, device: torch.device, budget: int) -> None:
        self._packed: Packed = pack(alone_with(evaluator, budget))
        self._device = device

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        torch.set_num_threads(1)  # batches run side by side, see `Form`
        evaluator: Evaluator = unpack(self._packed)
        evaluator.move(self._device)
        self._objectives = Objectives(evaluator)

    def __call__(self, genotype: Genotype) -> Values:
        return self._objectives(genotype)

    def together(
        self, genotypes: Sequence[Genotype], floors: Floors | None = None
    ) -> list[Values | Bounded | Exception]:
        """Of each genotype its objectives, or what is wrong with it, as `Objectives`."""
        return self._objectives.together(genotypes, floors)

    def told(self) -> Usage:
        """How this worker's activations were kept so far."""
        return self._objectives.evaluator.cache.usage()
