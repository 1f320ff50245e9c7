"""The evaluator: accuracy of genotypes and exits on samples, and their costs."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from functools import cached_property, partial
from typing import NamedTuple

import torch
from torch import Tensor

from netstitch.costs import MULTIPLY_ADDS, Cost
from netstitch.errors import DataError, FittingError, SearchError
from netstitch.evaluation.early_stopping import EarlyStopState
from netstitch.evaluation.numerics import FULL, NumericsConfig
from netstitch.evaluation.race import Race
from netstitch.evaluation.runtime.schedule import KeyedOutputs, Schedule, execute, peak_bytes
from netstitch.files.settings import MEMORY
from netstitch.fitting import Batch, recalibrated
from netstitch.fitting.feature_stream import inputs
from netstitch.networks.content import united
from netstitch.networks.graph import WEIGHT
from netstitch.networks.inputs import check_inputs, fitting_batches
from netstitch.networks.interpreter import make_interpreter
from netstitch.optimization.executors.attempts import BatchEvaluation, StoppedEarly, Thresholds
from netstitch.stitching.exit import Exit
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Outputs, Samples, Task
from netstitch.tasks.task import Measure
from netstitch.threads import batch_workers, threads

Measurable = Genotype | Exit
"""A subnetwork that can be evaluated."""
Compute = Callable[[Tensor], list[KeyedOutputs]]
"""Returns the outputs of some subnetworks for a batch."""

HELD = 4_000_000_000
"""Bytes of samples that are arranged once and kept; more, such as a test set in a file that is
mapped into memory, are arranged batch by batch, each time that they are read."""
TOGETHER = MEMORY
"""Bytes of values that genotypes computed together may hold at once, about."""
ROUNDS = 4
"""Batches that each worker runs before outputs are looked at, where no end is in sight: workers
then seldom wait for each other."""


class Objectives(NamedTuple):
    """The measures of a subnetwork: accuracy in [0, 1], and the cost for one sample."""

    accuracy: float
    cost: float


class Evaluator(BatchEvaluation):
    """Evaluates genotypes and exits of a supernet on the same samples, sharing common work.

    An evaluator is for the supernet as it was when it was made: not for other stitches. Where these
    were never fitted, genotypes that use one raise StitchingError. Exits share work with exits, and
    genotypes with genotypes; exits are never fused, and recalibration leaves them as they are.

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
        cost: What is held against accuracy.
        race: Parts of the samples, which end where batches do, behind which genotypes with a
            threshold are judged; None for no race.
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
        cost: Cost = MULTIPLY_ADDS,
        race: Race | None = None,
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
        self._race = race
        self._fitted = supernet.fitted
        self._labels = samples.labels
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
        self._device = torch.device(device)
        self._held = samples.inputs.nbytes <= HELD
        self._batches: Sequence[Tensor] = torch.split(samples.inputs, form.batch)
        if self._held:
            self._batches = [self._arranged(batch) for batch in self._batches]

    def __getstate__(self) -> dict[str, object]:
        """Return all but the schedule, which is bound to tensors where they are."""
        return {name: value for name, value in self.__dict__.items() if name != "_schedule"}

    @cached_property
    def _schedule(self) -> Schedule:
        """Made where it is first needed: not by a process that only passes the evaluator on."""
        return Schedule(self.supernet, self._weights, self.form.fused, self.form.precision)

    def __call__(self, genotype: Measurable) -> Objectives:
        """Return the objectives of one genotype or exit.

        Raises:
            DataError: For outputs that are not finite.
        """
        [found] = self.together([genotype])
        if isinstance(found, DataError):
            raise found
        assert isinstance(found, Objectives)  # there is no threshold
        return found

    def together(
        self, genotypes: Sequence[Measurable], thresholds: Thresholds | None = None
    ) -> list[Objectives | StoppedEarly | DataError]:
        """Return the objectives of some genotypes, what they have in common computed once.

        Args:
            genotypes: Of the supernet; or exits.
            thresholds: Accuracies; the evaluation of a genotype ends, batch by batch, once it is
                certain not to get over its own, and in a race at the end of a part too, where it
                likely will not. None for one that is done whole. Without effect
                with recalibration, and for a task without `accuracy_of`.

        Returns:
            A DataError in the place of those whose outputs are not finite.
        """
        if self.task.accuracy_of is None:
            each = zip(genotypes, self.outputs_together(genotypes), strict=True)
            return [self._measured_whole(genotype, outputs) for genotype, outputs in each]
        if thresholds is None or self._recalibration is not None:
            thresholds = [None] * len(genotypes)
        labels = torch.split(self._labels, self.form.batch)
        states = [EarlyStopState(self.task, labels, one, self._race) for one in thresholds]
        self._compute(
            genotypes,
            lambda one, batch, outputs: states[one].add(batch, outputs),
            lambda one: states[one].ended,
            rounds=ROUNDS if all(one is None for one in thresholds) else 1,
        )
        return [
            state.error or self._objectives(genotype, state.accuracy, stopped=state.stopped_early)
            for genotype, state in zip(genotypes, states, strict=True)
        ]

    def _measured_whole(
        self, genotype: Measurable, outputs: Outputs
    ) -> Objectives | StoppedEarly | DataError:
        """Return the objectives for a task whose accuracy is not a sum over samples."""
        try:
            with threads(1):  # as in workers: sums of a task's own may depend on it
                accuracy = self.task.accuracy(outputs, self._labels)
        except DataError as error:
            return error
        return self._objectives(genotype, accuracy)

    def _objectives(
        self, genotype: Measurable, accuracy: float, *, stopped: bool = False
    ) -> Objectives | StoppedEarly:
        found = Objectives(accuracy, float(self.cost.of(self.supernet, genotype)))
        return StoppedEarly(found) if stopped else found

    def outputs(self, genotype: Measurable) -> Outputs:
        """Return the subnetwork's output for all samples, as the network gives it."""
        [outputs] = self.outputs_together([genotype])
        return outputs

    def outputs_together(self, genotypes: Sequence[Measurable]) -> list[Outputs]:
        """Return the outputs of several genotypes, each common tensor computed once a batch."""
        parts: list[list[Outputs]] = [[] for _ in genotypes]
        self._compute(genotypes, lambda one, _, outputs: parts[one].append(outputs))
        return [_joined(outputs) for outputs in parts]

    def give_outputs(
        self, genotypes: Sequence[Measurable], take: Callable[[int, int, Outputs], None]
    ) -> None:
        """Give away outputs batch by batch, each common tensor computed once.

        Args:
            genotypes: Of the supernet; or exits.
            take: Called with the index of a genotype, that of the first sample, and its outputs for
                this sample and those behind it; samples come in order.
        """
        size = self.form.batch
        self._compute(genotypes, lambda one, batch, outputs: take(one, batch * size, outputs))

    def measured_together(
        self, genotypes: Sequence[Measurable], *measures: Measure
    ) -> list[list[Tensor]]:
        """Return the values (n, ...) of each measure for all samples, by genotype.

        No more outputs are held than those of some batches. What measures raise is raised, such as
        a DataError where outputs are not finite.

        Args:
            genotypes: Of the supernet; or exits.
            measures: Called with the outputs and labels of a batch.
        """
        labels = torch.split(self._labels, self.form.batch)
        parts: list[list[list[Tensor]]] = [[] for _ in genotypes]

        def take(one: int, batch: int, outputs: Outputs) -> None:
            parts[one].append([measure(outputs, labels[batch]) for measure in measures])

        self._compute(genotypes, take)
        return [[torch.cat(values) for values in zip(*part, strict=True)] for part in parts]

    def _compute(
        self,
        genotypes: Sequence[Measurable],
        take: Callable[[int, int, Outputs], None],
        ended: Callable[[int], bool] = lambda one: False,
        *,
        rounds: int = ROUNDS,
    ) -> None:
        """Give away the outputs of genotypes, in parts where all would hold more than TOGETHER.

        Args:
            genotypes: Of the supernet; or exits.
            take: Called with the index of a genotype, a batch, and its outputs; batches come in
                order.
            ended: Returns whether a genotype needs no more batches; by default none ends early.
            rounds: Batches that each worker runs, at most, before `ended` is asked.
        """
        if not self._fitted:
            for genotype in genotypes:
                self.supernet.check_fitted(genotype)
        exits = [one for one, each in enumerate(genotypes) if isinstance(each, Exit)]
        others = [one for one in range(len(genotypes)) if one not in set(exits)]
        groups = [others] if self._recalibration is None else [[one] for one in others]
        groups = [group for group in [*groups, exits] if group]
        while groups:
            going = groups.pop(0)
            compute, held = self._prepared([genotypes[one] for one in going])
            if len(going) > 1 and held > TOGETHER:
                half = len(going) // 2
                groups = [going[:half], going[half:], *groups]
                continue
            at_once = self.form.workers * min(max(1, TOGETHER // max(1, held)), rounds)
            every = range(len(self._batches))
            with batch_workers(self.form.workers) as pool:
                for start in every[::at_once]:
                    batches = every[start : start + at_once]
                    results = self._run(pool, compute, batches)
                    for position, one in enumerate(going):
                        for batch, outputs in zip(batches, results, strict=True):
                            take(one, batch, _measurable(outputs[position]))
                    left = [one for one in going if not ended(one)]
                    if not left:
                        break
                    if len(left) < len(going):
                        going = left
                        compute, _ = self._prepared([genotypes[one] for one in going])

    def _prepared(self, genotypes: Sequence[Measurable]) -> tuple[Compute, int]:
        """Return a function that computes a batch's outputs, and the bytes that all workers hold.

        Either all of the genotypes are exits, or none is.
        """
        exits = [one for one in genotypes if isinstance(one, Exit)]
        if exits:
            return self._prepared_exits(exits)
        return self._prepared_genotypes([one for one in genotypes if not isinstance(one, Exit)])

    def _prepared_exits(self, exits: Sequence[Exit]) -> tuple[Compute, int]:
        graph = self.supernet.exits_graph(exits)
        interpreter = make_interpreter(graph, self._weights)

        def compute(batch: Tensor) -> list[KeyedOutputs]:
            found = interpreter.run([batch])
            return [{key: value} for key, value in zip(graph.output_keys, found, strict=True)]

        return compute, interpreter.peak * self.form.batch * self.form.workers

    def _prepared_genotypes(self, genotypes: Sequence[Genotype]) -> tuple[Compute, int]:
        if self._recalibration is None:
            plan = self._schedule.plan(genotypes)
            return partial(execute, plan), peak_bytes(plan) * self.form.batch * self.form.workers
        [genotype] = genotypes
        graph = self.supernet.pruned_graph(genotype)
        keys = [node.path for node in graph.nodes if node.operation == WEIGHT]
        own = {key: self._weights[key] for key in keys}
        with threads(1):  # so that statistics do not depend on the cores there are
            weights = recalibrated(graph, own, self._recalibration)
        graph = united([graph])
        interpreter = make_interpreter(graph, weights)

        def compute(batch: Tensor) -> list[KeyedOutputs]:
            values = interpreter.compute(batch)
            return [{key: values[name] for key, name in graph.outputs}]

        return compute, interpreter.peak * self.form.batch * self.form.workers

    def _run(
        self, pool: Executor, compute: Compute, batches: Sequence[int]
    ) -> list[list[KeyedOutputs]]:
        """Return results by batch, in order; batches run side by side."""

        def run(index: int) -> list[KeyedOutputs]:
            with torch.inference_mode():  # it holds for one thread only
                batch = self._batches[index]
                return compute(batch if self._held else self._arranged(batch))

        return list(pool.map(run, batches))

    def move(self, device: torch.device | str) -> None:
        """Run on another device from now on."""
        if self._device == torch.device(device):
            return
        self._device = torch.device(device)
        if self._held:
            self._batches = [self._arranged(batch) for batch in self._batches]
        self._weights = {path: tensor.to(device) for path, tensor in self._weights.items()}
        self.__dict__.pop("_schedule", None)  # bound to the tensors before
        if self._recalibration is not None:
            self._recalibration = [batch.to(device) for batch in self._recalibration]

    def _arranged(self, batch: Tensor) -> Tensor:
        return self.form.arrange(batch.to(self._device))


def arranged_weights(
    supernet: Supernet, form: NumericsConfig, device: torch.device | str
) -> dict[str, Tensor]:
    """Return the supernet's tensors by path, laid out like the activations that they meet."""
    tensors = supernet.tensors()
    return {path: form.arrange(tensor.detach().to(device)) for path, tensor in tensors.items()}


def _joined(parts: Sequence[Outputs]) -> Outputs:
    """Return the outputs of all batches as one."""
    tensors = [part for part in parts if isinstance(part, Tensor)]
    if tensors:
        return torch.cat(tensors)
    by_key = [part for part in parts if not isinstance(part, Tensor)]
    return {key: torch.cat([part[key] for part in by_key]) for key in by_key[0]}


def _measurable(outputs: KeyedOutputs) -> Outputs:
    """Return a tensor, or tensors by key, as a task measures them."""
    if None in outputs:
        return _in_full(outputs[None])
    return {str(key): _in_full(value) for key, value in outputs.items()}


def _in_full(value: Tensor) -> Tensor:
    value = value.cpu()
    return value.float() if value.is_floating_point() and value.itemsize < 4 else value
