"""How good a genotype is: accuracy on samples, and multiply-adds."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netstitch.errors import DataError, SearchError
from netstitch.evaluation.cache import ActivationCache
from netstitch.evaluation.exclusive import Made
from netstitch.evaluation.form import FULL, Form
from netstitch.evaluation.running import Plan, execute, peak_bytes
from netstitch.evaluation.schedule import Schedule
from netstitch.evaluation.stopping import Stopping, accuracy_of
from netstitch.evaluation.watch import Watch
from netstitch.fitting import Batch, recalibrated
from netstitch.fitting.stream import inputs
from netstitch.networks import plan as of_graphs
from netstitch.networks.graph import WEIGHT
from netstitch.networks.plan import Key
from netstitch.optimization.executor import Floors
from netstitch.stitching.wiring import Genotype
from netstitch.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.threads import batch_workers, threads

TOGETHER = 2_000_000_000
"""Bytes of values that genotypes computed together may hold at once, about."""


@dataclass(frozen=True)
class Measured:
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
    budget: bytes of activations kept between evaluations; with 0 each is computed whole. The
        results are equal bit for bit.
    device: where subnetworks run; outputs are measured on the CPU, and the supernet stays where it
        is. An evaluator is for the supernet as it was when it was made: not for other stitches.
    recalibration: batches of inputs, or of tuples that start with them, that the batch norms of
        each genotype take their statistics from (see `netstitch.fitting.recalibrated`), so that
        what is measured is the subnetwork as it is exported with the same inputs. A tensor then
        depends on the whole genotype, so nothing is shared or fused: `budget` is not used,
        genotypes evaluated together are computed one after the other, and each costs a pass over
        these batches more. By default norms keep the statistics of the basis networks.
    stopping: when evaluations end early that are asked with a floor; by default where it is certain
        that they do not get over it. Without effect with `recalibration`, and for a task without
        `accuracy_of`.
    """

    def __init__(
        self,
        supernet: Supernet,
        task: Task,
        samples: Samples,
        form: Form,
        *,
        budget: int = 0,
        device: torch.device | str = "cpu",
        recalibration: Iterable[Batch] | None = None,
        stopping: Stopping | None = None,
    ) -> None:
        if recalibration is not None and form.precision != FULL:
            raise SearchError(
                f"batch norms take their statistics in {FULL}, and evaluations are to run in "
                f"{form.precision}: leave out the precision, or recalibrating"
            )
        self.supernet = supernet
        self.task = task
        self.form = form
        self._labels = samples.labels
        self._stopping = stopping or Stopping()
        self.cache = ActivationCache(budget if recalibration is None else 0, len(samples))
        # Kept as they are read, since every genotype reads them again.
        self._recalibration = (
            None
            if recalibration is None
            else [form.arrange(part.to(device)) for _, part in inputs(recalibration)]
        )
        self._weights = arranged_weights(supernet, form, device)
        self._batches = [form.arrange(part.to(device)) for part in samples.batches(form.batch)]

    def __getstate__(self) -> dict[str, Any]:
        """All but the schedule, which is bound to tensors where they are."""
        return {name: value for name, value in self.__dict__.items() if name != "_schedule"}

    @cached_property
    def _schedule(self) -> Schedule:
        """Made where it is first needed: not by a process that only passes the evaluator on."""
        return Schedule(self.supernet, self._weights, self.form.fused, self.form.precision)

    def evaluate(self, genotype: Genotype) -> Measured:
        """Objectives of one genotype.

        Raises DataError where outputs are not finite.
        """
        return self._measured(genotype, self.outputs(genotype))

    def evaluate_together(
        self, genotypes: Sequence[Genotype], floors: Floors | None = None
    ) -> list[Measured | DataError]:
        """Objectives of some genotypes, what they have in common computed once.

        floors: accuracies; the evaluation of a genotype ends, batch by batch, once it does not get
        over its own. None for one that is done whole.

        A DataError in the place of those whose outputs are not finite.
        """
        found: list[Measured | DataError] = []
        watches = self._watches(floors or [None] * len(genotypes))
        for genotype, watch, outputs in zip(
            genotypes, watches, self._outputs(genotypes, watches), strict=True
        ):
            try:
                if watch is not None and watch.error is not None:
                    found.append(watch.error)
                elif watch is not None and watch.bound is not None:
                    found.append(Measured(watch.bound, self.supernet.macs(genotype), True))
                else:
                    found.append(self._measured(genotype, outputs))
            except DataError as error:
                found.append(error)
        return found

    def _watches(self, floors: Floors) -> list[Watch | None]:
        accuracy = accuracy_of(self.task)
        if accuracy is None or self._recalibration is not None:
            return [None] * len(floors)
        return [
            None
            if floor is None
            else Watch(self.task, accuracy, self._labels, self.form.batch, self._stopping, floor)
            for floor in floors
        ]

    def _measured(self, genotype: Genotype, outputs: Any) -> Measured:
        return Measured(self.task.accuracy(outputs, self._labels), self.supernet.macs(genotype))

    def outputs(self, genotype: Genotype) -> Any:
        """The subnetwork's output for all samples, as the network gives it."""
        [outputs] = self._outputs([genotype])
        return outputs

    def outputs_together(self, genotypes: Sequence[Genotype]) -> list[Any]:
        """Outputs of several genotypes, batch by batch, each common tensor computed once.

        In parts, where all of them together would hold more than TOGETHER bytes.
        """
        return list(self._outputs(genotypes))

    def _outputs(
        self, genotypes: Sequence[Genotype], watches: Sequence[Watch | None] = ()
    ) -> Iterator[Any]:
        """Outputs in the order of the genotypes, some at once.

        watches: of each that may end early, whose outputs are then those of the samples so far.
        """
        if self._recalibration is not None:
            for genotype in genotypes:
                yield self._recalibrated_outputs(genotype, self._recalibration)
            return
        plan = self._schedule.plan(genotypes, self.cache.keys())
        at_once = self.form.batch * self.form.workers
        if len(genotypes) > 1 and peak_bytes(plan) * at_once > TOGETHER:
            half = len(genotypes) // 2
            yield from self._outputs(genotypes[:half], watches[:half])
            yield from self._outputs(genotypes[half:], watches[half:])
            return
        yield from self._computed(genotypes, watches or [None] * len(genotypes), plan)

    def _computed(
        self, genotypes: Sequence[Genotype], watches: Sequence[Watch | None], plan: Plan
    ) -> list[Any]:
        """Outputs of each genotype, for as many batches as it takes.

        Values to be kept are so where all batches are done with them.
        """
        kept = self._kept(plan) if self.cache.budget else frozenset()
        known = {key: self.cache[key] for key in plan.needed}
        values: dict[Key, list[Tensor]] = {key: [] for key in kept}
        parts: list[list[dict[Key, Any]]] = [[] for _ in genotypes]
        ends, going, last = plan.outputs, list(range(len(genotypes))), len(self._batches)
        at_once = self.form.workers if any(watches) else last
        with batch_workers(self.form.workers) as pool:
            for start in range(0, last, at_once):
                batches = range(start, min(start + at_once, last))
                self._count([genotypes[one] for one in going], plan, len(batches) / last)
                results = self._run(pool, plan, batches, known, values.keys())
                for key, tensors in values.items():
                    tensors += [result[key] for result in results]
                for one, pairs in zip(going, plan.outputs, strict=True):
                    mine = [{key: result[key] for _, key in pairs} for result in results]
                    parts[one] += mine
                    if watch := watches[one]:
                        for batch, result in zip(batches, mine, strict=True):
                            watch.look(batch, _joined(pairs, [result]))
                left = [one for one in going if not ((watch := watches[one]) and watch.ended)]
                if not left:
                    break
                if len(left) < len(going):
                    going = left
                    plan = self._schedule.plan([genotypes[one] for one in going], known.keys())
                    values = {key: values[key] for key in plan.made if key in values}
        for key in sorted(values):
            if len(values[key]) == last:
                self.cache.put(key, values[key])
        return [_joined(pairs, found) for pairs, found in zip(ends, parts, strict=True)]

    def _recalibrated_outputs(self, genotype: Genotype, batches: Sequence[Tensor]) -> Any:
        """Outputs with the statistics that batches give this very subnetwork."""
        graph, _ = self.supernet.subnetwork_graph(genotype)
        keys = [node.path for node in graph.nodes if node.operation == WEIGHT]
        own = {key: self._weights[key] for key in keys}
        with threads(1):  # so that statistics do not depend on the cores there are
            plan = of_graphs.make_plan([graph], recalibrated(graph, own, batches))
        with batch_workers(self.form.workers) as pool:
            return _joined(plan.outputs[0], self._run(pool, plan, range(len(self._batches)), {}))

    def _count(self, genotypes: Sequence[Genotype], plan: Plan, share: float) -> None:
        """Count the work of a share of the samples, and what it would be without the cache."""
        if not self.cache.budget:
            return
        wiring = self.supernet.wiring
        asked = sum(wiring.multiply_adds(one) + wiring.elementwise(one) for one in genotypes)
        self.cache.count(round(share * asked), round(share * int(plan.works.sum())))

    def _kept(self, plan: Plan) -> frozenset[Key]:
        """Keys of values that the cache will take: of those at which other subnetworks turn off."""
        reads = plan.reads_of_each
        sizes = np.where(plan.shared, plan.sizes, 0).tolist()
        works = plan.works.tolist()
        made = [Made(*step) for step in zip(plan.made, reads, works, sizes, strict=True)]
        results = {key for pairs in plan.outputs for _, key in pairs}
        return self.cache.plan_keeping(made, results, plan.needed)

    def _run(
        self,
        pool: Executor,
        plan: Plan | of_graphs.Plan,
        batches: Sequence[int],
        known: Mapping[Key, Sequence[Tensor]],
        kept: Collection[Key] = (),
    ) -> list[dict[Key, Any]]:
        """Results by batch, in order; batches run side by side."""

        def run(index: int) -> dict[Key, Any]:
            values = {key: tensors[index] for key, tensors in known.items()}
            with torch.inference_mode():  # it holds for one thread only
                if isinstance(plan, Plan):
                    return execute(plan, self._batches[index], values, kept)
                return of_graphs.execute(plan, self._batches[index], values, kept)

        return list(pool.map(run, batches))

    def move(self, device: torch.device | str) -> None:
        """Run on another device from now on; what is kept is forgotten."""
        if all(batch.device == torch.device(device) for batch in self._batches):
            return
        self.cache.clear()
        self._weights = {path: tensor.to(device) for path, tensor in self._weights.items()}
        self.__dict__.pop("_schedule", None)  # bound to the tensors before
        self._batches = [batch.to(device) for batch in self._batches]
        if self._recalibration is not None:
            self._recalibration = [batch.to(device) for batch in self._recalibration]

    def correct_together(
        self, genotypes: Sequence[Genotype]
    ) -> list[np.ndarray[Any, np.dtype[np.bool_]]]:
        """Which samples each genotype gets right, (n,) each.

        Raises DataError where outputs are not finite.
        """
        return [
            self.task.correct(outputs, self._labels).numpy()
            for outputs in self.outputs_together(genotypes)
        ]


def arranged_weights(
    supernet: Supernet, form: Form, device: torch.device | str
) -> dict[str, Tensor]:
    """The supernet's tensors by path, laid out like the activations that they meet."""
    tensors = supernet.tensors()
    return {path: form.arrange(tensor.detach().to(device)) for path, tensor in tensors.items()}


def _joined(pairs: Sequence[tuple[str | None, Key]], results: Sequence[dict[Key, Any]]) -> Any:
    tensors = {name: _whole([result[key] for result in results]) for name, key in pairs}
    return tensors.get(None, tensors)


def _whole(parts: Sequence[Tensor]) -> Tensor:
    """A value of some batches as one, as a task measures it."""
    whole = torch.cat(list(parts)).cpu()
    return whole.float() if whole.is_floating_point() and whole.itemsize < 4 else whole
