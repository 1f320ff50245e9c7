"""How good a genotype is: accuracy on samples, and multiply-adds."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from netstitch.errors import DataError, FittingError, SearchError
from netstitch.evaluation.early_stop_state import EarlyStopState
from netstitch.evaluation.early_stopping import EarlyStopSettings
from netstitch.evaluation.numerics import FULL, NumericsConfig
from netstitch.evaluation.output_reducers import (
    AccuracyReducer,
    Measure,
    OutputCollector,
    OutputReducer,
)
from netstitch.evaluation.runtime.execution_plan import ExecutionPlan, execute, peak_bytes
from netstitch.evaluation.runtime.sample_layout import ArrangedBatches
from netstitch.evaluation.runtime.schedule import Schedule
from netstitch.fitting import Batch, recalibrated
from netstitch.fitting.feature_stream import inputs
from netstitch.networks import interpreter as of_graphs
from netstitch.networks.graph import WEIGHT
from netstitch.networks.inputs import check_inputs, fitting_batches
from netstitch.networks.interpreter import Key
from netstitch.optimization.executors.executor import Floors
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.threads import batch_workers, threads

TOGETHER = 2_000_000_000
"""Bytes of values that genotypes computed together may hold at once, about."""
ROUNDS = 4
"""Batches that each worker runs before outputs are looked at, where all batches are run anyway."""


@dataclass(frozen=True)
class Evaluated:
    """Objectives of a subnetwork: accuracy in [0, 1], multiply-adds of one image.

    bounded: whether the evaluation ended early; the accuracy is then the most that it can be.
    """

    accuracy: float
    multiply_adds: int
    bounded: bool = False


class Evaluator:
    """Evaluates genotypes of a supernet on the same samples, sharing what they have in common.

    form: memory layout, batch size, fusing and precision; one form for all, so that results do not
        depend on what was evaluated before.
    device: where subnetworks run; outputs are measured on the CPU, and the supernet stays where it
        is. An evaluator is for the supernet as it was when it was made: not for other stitches.
        Where these were never fitted, genotypes that use one raise StitchingError.
    recalibration: batches of inputs, or of tuples that start with them, that the batch norms of
        each genotype take their statistics from (see `netstitch.fitting.recalibrated`), so that
        what is measured is the subnetwork as it is exported with the same inputs. A tensor then
        depends on the whole genotype, so nothing is shared or fused: genotypes evaluated together
        are computed one after the other, and each costs a pass over these batches more. By default
        norms keep the statistics of the basis networks.
    stopping: when evaluations end early that are asked with a floor; by default where it is certain
        that they do not get over it. Without effect with `recalibration`, and for a task without
        `accuracy_of`.
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
        """All but the schedule, which is bound to tensors where they are."""
        return {name: value for name, value in self.__dict__.items() if name != "_schedule"}

    @cached_property
    def _schedule(self) -> Schedule:
        """Made where it is first needed: not by a process that only passes the evaluator on."""
        return Schedule(self.supernet, self._weights, self.form.fused, self.form.precision)

    def evaluate(self, genotype: Genotype) -> Evaluated:
        """Objectives of one genotype.

        Raises DataError where outputs are not finite.
        """
        [found] = self.evaluate_together([genotype])
        if isinstance(found, DataError):
            raise found
        return found

    def evaluate_together(
        self, genotypes: Sequence[Genotype], floors: Floors | None = None
    ) -> list[Evaluated | DataError]:
        """Objectives of some genotypes, what they have in common computed once.

        floors: accuracies; the evaluation of a genotype ends, batch by batch, once it does not get
        over its own. None for one that is done whole.

        A DataError in the place of those whose outputs are not finite.
        """
        accuracy = self.task.accuracy_of
        if accuracy is None:
            each = zip(genotypes, self.outputs_together(genotypes), strict=True)
            return [self._measured_whole(genotype, outputs) for genotype, outputs in each]
        ends = self._recalibration is None
        watches = [
            EarlyStopState(
                self.task,
                accuracy,
                self._labels,
                self.form.batch,
                self._stopping,
                floor if ends else None,
            )
            for floor in floors or [None] * len(genotypes)
        ]
        self._show(genotypes, watches)
        return [
            watch.error
            or Evaluated(watch.accuracy, self.supernet.macs(genotype), watch.bound is not None)
            for genotype, watch in zip(genotypes, watches, strict=True)
        ]

    def _measured_whole(self, genotype: Genotype, outputs: Any) -> Evaluated | DataError:
        """Of a task whose accuracy is not a sum over samples."""
        try:
            with threads(1):  # as in workers: sums of a task's own may depend on it
                accuracy = self.task.accuracy(outputs, self._labels)
        except DataError as error:
            return error
        return Evaluated(accuracy, self.supernet.macs(genotype))

    def outputs(self, genotype: Genotype) -> Any:
        """The subnetwork's output for all samples, as the network gives it."""
        [outputs] = self.outputs_together([genotype])
        return outputs

    def outputs_together(self, genotypes: Sequence[Genotype]) -> list[Any]:
        """Outputs of several genotypes, batch by batch, each common tensor computed once.

        In parts, where all of them together would hold more than TOGETHER bytes.
        """
        looks = [OutputCollector() for _ in genotypes]
        self._show(genotypes, looks)
        return [look.outputs for look in looks]

    def measured_together(
        self, genotypes: Sequence[Genotype], *measures: Measure
    ) -> list[list[Tensor]]:
        """Of each genotype, what each measure makes of its outputs for all samples, (n, ...).

        measures: called with the outputs and labels of a batch. So no more outputs are held than
        those of some batches.

        Raises what they raise, such as a DataError where outputs are not finite.
        """
        labels = torch.split(self._labels, self.form.batch)
        looks = [AccuracyReducer(measures, labels) for _ in genotypes]
        self._show(genotypes, looks)
        return [look.values for look in looks]

    def _show(self, genotypes: Sequence[Genotype], looks: Sequence[OutputReducer]) -> None:
        """Compute outputs, some genotypes at once, and let each look at its own."""
        if not self._fitted:
            for genotype in genotypes:
                self.supernet.check_fitted(genotype)
        if self._recalibration is not None:
            for genotype, look in zip(genotypes, looks, strict=True):
                self._show_recalibrated(genotype, self._recalibration, look)
            return
        plan = self._schedule.plan(genotypes)
        at_once = self.form.batch * self.form.workers
        if len(genotypes) > 1 and peak_bytes(plan) * at_once > TOGETHER:
            half = len(genotypes) // 2
            self._show(genotypes[:half], looks[:half])
            self._show(genotypes[half:], looks[half:])
            return
        self._compute(genotypes, looks, plan)

    def _compute(
        self, genotypes: Sequence[Genotype], looks: Sequence[OutputReducer], plan: ExecutionPlan
    ) -> None:
        """Outputs of each genotype, for as many batches as it takes."""
        going, last = list(range(len(genotypes))), len(self._batches)
        # Rounds without an end in sight are longer, so that workers seldom wait for each other.
        room = int(TOGETHER / max(1, peak_bytes(plan) * self.form.batch * self.form.workers))
        rounds = 1 if any(look.may_end for look in looks) else min(max(1, room), ROUNDS)
        at_once = self.form.workers * rounds
        with batch_workers(self.form.workers) as pool:
            for start in range(0, last, at_once):
                batches = range(start, min(start + at_once, last))
                results = self._run(pool, plan, batches)
                for one, pairs in zip(going, plan.outputs, strict=True):
                    for batch, result in zip(batches, results, strict=True):
                        looks[one].look(batch, _outputs(pairs, result))
                left = [one for one in going if not looks[one].ended]
                if not left:
                    break
                if len(left) < len(going):
                    going = left
                    plan = self._schedule.plan([genotypes[one] for one in going])

    def _show_recalibrated(
        self, genotype: Genotype, batches: Sequence[Tensor], look: OutputReducer
    ) -> None:
        """Outputs with the statistics that batches give this very subnetwork."""
        graph, _ = self.supernet.subnetwork_graph(genotype)
        keys = [node.path for node in graph.nodes if node.operation == WEIGHT]
        own = {key: self._weights[key] for key in keys}
        with threads(1):  # so that statistics do not depend on the cores there are
            plan = of_graphs.make_plan([graph], recalibrated(graph, own, batches))
        with batch_workers(self.form.workers) as pool:
            results = self._run(pool, plan, range(len(self._batches)))
            for batch, result in enumerate(results):
                look.look(batch, _outputs(plan.outputs[0], result))

    def _run(
        self, pool: Executor, plan: ExecutionPlan | of_graphs.GraphPlan, batches: Sequence[int]
    ) -> list[dict[Key, Any]]:
        """Results by batch, in order; batches run side by side."""

        def run(index: int) -> dict[Key, Any]:
            with torch.inference_mode():  # it holds for one thread only
                if isinstance(plan, ExecutionPlan):
                    return execute(plan, self._batches[index])
                return of_graphs.execute(plan, self._batches[index], {})

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
    """The supernet's tensors by path, laid out like the activations that they meet."""
    tensors = supernet.tensors()
    return {path: form.arrange(tensor.detach().to(device)) for path, tensor in tensors.items()}


def _outputs(pairs: Sequence[tuple[str | None, Key]], result: Mapping[Key, Any]) -> Any:
    """A tensor, or tensors by key, as a task measures them."""
    tensors = {name: _measurable(result[key]) for name, key in pairs}
    return tensors.get(None, tensors)


def _measurable(value: Tensor) -> Tensor:
    value = value.cpu()
    return value.float() if value.is_floating_point() and value.itemsize < 4 else value
