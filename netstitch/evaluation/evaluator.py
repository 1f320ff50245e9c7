"""The evaluator: accuracy of genotypes on samples, and their costs."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from netstitch.costs import MULTIPLY_ADDS, Cost
from netstitch.errors import DataError, FittingError, SearchError
from netstitch.evaluation.early_stopping import EarlyStopSettings, EarlyStopState
from netstitch.evaluation.numerics import FULL, NumericsConfig
from netstitch.evaluation.output_reducers import (
    Measure,
    MeasureCollector,
    OutputCollector,
    OutputReducer,
)
from netstitch.evaluation.runtime.sample_layout import ArrangedBatches
from netstitch.evaluation.runtime.schedule import KeyedOutputs, Schedule, execute, peak_bytes
from netstitch.fitting import Batch, recalibrated
from netstitch.fitting.feature_stream import inputs
from netstitch.networks.content import united
from netstitch.networks.graph import WEIGHT
from netstitch.networks.inputs import check_inputs, fitting_batches
from netstitch.networks.interpreter import make_interpreter
from netstitch.optimization.executors.attempts import Thresholds
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Outputs, Samples, Task
from netstitch.threads import batch_workers, threads

TOGETHER = 2_000_000_000
"""Bytes of values that genotypes computed together may hold at once, about."""
ROUNDS = 4
"""Batches that each worker runs before outputs are looked at, where all batches are run anyway."""


@dataclass(frozen=True)
class Evaluated:
    """Objectives of a subnetwork.

    Attributes:
        accuracy: In [0, 1].
        cost: For one sample.
        bounded: Whether the evaluation ended early; the accuracy is then the most that it can be.
    """

    accuracy: float
    cost: float
    bounded: bool = False


class Evaluator:
    """Evaluates genotypes of a supernet on the same samples, sharing what they have in common.

    An evaluator is for the supernet as it was when it was made: not for other stitches. Where these
    were never fitted, genotypes that use one raise StitchingError.

    Args:
        supernet: Stays on the device where it is.
        task: Measures outputs, on the CPU.
        samples: That subnetworks are run on.
        form: Memory layout, batch size, fusing and precision; the same for all genotypes, so that
            results do not depend on what was evaluated before.
        device: Where subnetworks run.
        recalibration: Batches of inputs, or of tuples that start with them, that the batch norms of
            each genotype take their statistics from (see `netstitch.fitting.recalibrated`), so that
            the subnetwork is measured as it is exported with the same inputs. A tensor then
            depends on the whole genotype, so nothing is shared or fused: genotypes evaluated
            together are computed one after the other, and each costs a pass over these batches
            more. By default norms keep the statistics of the basis networks.
        stopping: When evaluations with a rejection threshold end early; by default where it is
            certain that they do not get over it. Without effect with `recalibration`, and for a
            task without `accuracy_of`.
        cost: What is held against accuracy.
    """

    def __init__(
        self,
        supernet: Supernet,
        task: Task,
        samples: Samples,
        form: NumericsConfig,
        *,
        device: torch.device | str = "cpu",
        recalibration: Iterable[Batch] | None = None,
        stopping: EarlyStopSettings | None = None,
        cost: Cost = MULTIPLY_ADDS,
    ) -> None:
        if recalibration is not None and form.precision != FULL:
            raise SearchError(
                f"batch norms take their statistics in {FULL}, and evaluations are to run in "
                f"{form.precision}: leave out the precision, or recalibrating"
            )
        check_inputs(
            supernet.graphs, ("batch", *samples.shape), f"{samples.name}: a batch", DataError
        )
        self.supernet = supernet
        self.task = task
        self.form = form
        self.cost = cost
        self._fitted = supernet.fitted
        self._labels = samples.labels
        self._stopping = stopping or EarlyStopSettings()
        # Kept as they are read, since every genotype reads them again.
        self._recalibration = (
            None
            if recalibration is None
            else [
                form.arrange(part.to(device))
                for _, part in inputs(fitting_batches(supernet.graphs, recalibration, FittingError))
            ]
        )
        self._weights = arranged_weights(supernet, form, device)
        self._batches = ArrangedBatches(samples, form, device)

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the schedule, which is bound to tensors where they are."""
        return {name: value for name, value in self.__dict__.items() if name != "_schedule"}

    @cached_property
    def _schedule(self) -> Schedule:
        """Made where it is first needed: not by a process that only passes the evaluator on."""
        return Schedule(self.supernet, self._weights, self.form.fused, self.form.precision)

    def evaluate(self, genotype: Genotype) -> Evaluated:
        """Return the objectives of one genotype.

        Raises:
            DataError: For outputs that are not finite.
        """
        [found] = self.evaluate_together([genotype])
        if isinstance(found, DataError):
            raise found
        return found

    def evaluate_together(
        self, genotypes: Sequence[Genotype], thresholds: Thresholds | None = None
    ) -> list[Evaluated | DataError]:
        """Return the objectives of some genotypes, what they have in common computed once.

        Args:
            genotypes: Of the supernet.
            thresholds: Accuracies; the evaluation of a genotype ends, batch by batch, once it does
                not get over its own. None for one that is done whole.

        Returns:
            A DataError in the place of those whose outputs are not finite.
        """
        accuracy = self.task.accuracy_of
        if accuracy is None:
            each = zip(genotypes, self.outputs_together(genotypes), strict=True)
            return [self._measured_whole(genotype, outputs) for genotype, outputs in each]
        ends = self._recalibration is None
        states = [
            EarlyStopState(
                self.task,
                accuracy,
                self._labels,
                self.form.batch,
                self._stopping,
                threshold if ends else None,
            )
            for threshold in thresholds or [None] * len(genotypes)
        ]
        self._compute(genotypes, states)
        return [
            state.error or Evaluated(state.accuracy, self._cost(genotype), state.bound is not None)
            for genotype, state in zip(genotypes, states, strict=True)
        ]

    def _measured_whole(self, genotype: Genotype, outputs: Outputs) -> Evaluated | DataError:
        """Return the objectives for a task whose accuracy is not a sum over samples."""
        try:
            with threads(1):  # as in workers: sums of a task's own may depend on it
                accuracy = self.task.accuracy(outputs, self._labels)
        except DataError as error:
            return error
        return Evaluated(accuracy, self._cost(genotype))

    def _cost(self, genotype: Genotype) -> float:
        return float(self.cost.of(self.supernet, genotype))

    def outputs(self, genotype: Genotype) -> Outputs:
        """Return the subnetwork's output for all samples, as the network gives it."""
        [outputs] = self.outputs_together([genotype])
        return outputs

    def outputs_together(self, genotypes: Sequence[Genotype]) -> list[Outputs]:
        """Return the outputs of several genotypes, each common tensor computed once a batch.

        In parts, where all of them together would hold more than TOGETHER bytes.
        """
        collectors = [OutputCollector() for _ in genotypes]
        self._compute(genotypes, collectors)
        return [collector.outputs for collector in collectors]

    def measured_together(
        self, genotypes: Sequence[Genotype], *measures: Measure
    ) -> list[list[Tensor]]:
        """Return the values (n, ...) of each measure for all samples, by genotype.

        No more outputs are held than those of some batches. What measures raise is raised, such as
        a DataError where outputs are not finite.

        Args:
            genotypes: Of the supernet.
            measures: Called with the outputs and labels of a batch.
        """
        labels = torch.split(self._labels, self.form.batch)
        collectors = [MeasureCollector(measures, labels) for _ in genotypes]
        self._compute(genotypes, collectors)
        return [collector.values for collector in collectors]

    def _compute(self, genotypes: Sequence[Genotype], reducers: Sequence[OutputReducer]) -> None:
        """Give the outputs of each genotype to its reducer, for as many batches as it takes."""
        if not self._fitted:
            for genotype in genotypes:
                self.supernet.check_fitted(genotype)
        if self._recalibration is not None:
            for genotype, reducer in zip(genotypes, reducers, strict=True):
                self._compute_recalibrated(genotype, self._recalibration, reducer)
            return
        plan = self._schedule.plan(genotypes)
        held = peak_bytes(plan) * self.form.batch * self.form.workers
        if len(genotypes) > 1 and held > TOGETHER:
            half = len(genotypes) // 2
            self._compute(genotypes[:half], reducers[:half])
            self._compute(genotypes[half:], reducers[half:])
            return
        going = list(range(len(genotypes)))
        # Rounds without an end in sight are longer, so that workers seldom wait for each other.
        endless = not any(reducer.may_end for reducer in reducers)
        rounds = min(max(1, TOGETHER // max(1, held)), ROUNDS) if endless else 1
        at_once = self.form.workers * rounds
        with batch_workers(self.form.workers) as pool:
            for start in range(0, len(self._batches), at_once):
                batches = range(start, min(start + at_once, len(self._batches)))
                results = self._run(pool, partial(execute, plan), batches)
                for position, one in enumerate(going):
                    for batch, outputs in zip(batches, results, strict=True):
                        reducers[one].add(batch, _measurable(outputs[position]))
                left = [one for one in going if not reducers[one].ended]
                if not left:
                    break
                if len(left) < len(going):
                    going = left
                    plan = self._schedule.plan([genotypes[one] for one in going])

    def _compute_recalibrated(
        self, genotype: Genotype, batches: Sequence[Tensor], reducer: OutputReducer
    ) -> None:
        """Give outputs with the statistics that batches give this very subnetwork."""
        graph, _ = self.supernet.subnetwork_graph(genotype)
        keys = [node.path for node in graph.nodes if node.operation == WEIGHT]
        own = {key: self._weights[key] for key in keys}
        with threads(1):  # so that statistics do not depend on the cores there are
            weights = recalibrated(graph, own, batches)
        graph = united([graph])
        interpreter = make_interpreter(graph, weights)

        def compute(batch: Tensor) -> list[KeyedOutputs]:
            values = interpreter.compute(batch)
            return [{key: values[name] for key, name in graph.outputs}]

        with batch_workers(self.form.workers) as pool:
            results = self._run(pool, compute, range(len(self._batches)))
            for batch, [outputs] in enumerate(results):
                reducer.add(batch, _measurable(outputs))

    def _run(
        self,
        pool: Executor,
        compute: Callable[[Tensor], list[KeyedOutputs]],
        batches: Sequence[int],
    ) -> list[list[KeyedOutputs]]:
        """Return results by batch, in order; batches run side by side."""

        def run(index: int) -> list[KeyedOutputs]:
            with torch.inference_mode():  # it holds for one thread only
                return compute(self._batches[index])

        return list(pool.map(run, batches))

    def move(self, device: torch.device | str) -> None:
        """Run on another device from now on."""
        if not self._batches.move(device):
            return
        self._weights = {path: tensor.to(device) for path, tensor in self._weights.items()}
        self.__dict__.pop("_schedule", None)  # bound to the tensors before
        if self._recalibration is not None:
            self._recalibration = [batch.to(device) for batch in self._recalibration]


def arranged_weights(
    supernet: Supernet, form: NumericsConfig, device: torch.device | str
) -> dict[str, Tensor]:
    """Return the supernet's tensors by path, laid out like the activations that they meet."""
    tensors = supernet.tensors()
    return {path: form.arrange(tensor.detach().to(device)) for path, tensor in tensors.items()}


def _measurable(outputs: KeyedOutputs) -> Outputs:
    """Return a tensor, or tensors by key, as a task measures them."""
    if None in outputs:
        return _in_full(outputs[None])
    return {str(key): _in_full(value) for key, value in outputs.items()}


def _in_full(value: Tensor) -> Tensor:
    value = value.cpu()
    return value.float() if value.is_floating_point() and value.itemsize < 4 else value
