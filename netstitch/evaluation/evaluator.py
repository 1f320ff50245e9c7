"""How good a genotype is: accuracy on samples, and multiply-adds."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netstitch.evaluation.cache import ActivationCache
from netstitch.evaluation.form import Form
from netstitch.fitting import Batch, recalibrated
from netstitch.fitting.stream import inputs
from netstitch.networks.graph import WEIGHT, Graph
from netstitch.networks.plan import (
    Key,
    Plan,
    content_keys,
    depths,
    execute,
    make_plan,
    peak_bytes,
    sample_bytes,
)
from netstitch.stitching.wiring import Genotype
from netstitch.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.threads import batch_workers, threads

KEEPING = 100
"""Operations that take as long as keeping one byte of activations, about, on a CPU."""

TOGETHER = 2_000_000_000
"""Bytes of values that genotypes computed together may hold at once, about."""


@dataclass(frozen=True)
class Measured:
    """Objectives of a subnetwork: accuracy in [0, 1], multiply-adds of one image."""

    accuracy: float
    multiply_adds: int


class Evaluator:
    """Evaluates genotypes of a supernet on the same samples, sharing what they have in common.

    form: memory layout and batch size; one form for all, so that results do not depend on what
        was evaluated before.
    budget: bytes of activations kept between evaluations; with 0 each is computed whole. The
        results are equal bit for bit.
    device: where subnetworks run; outputs are measured on the CPU, and the supernet stays where it
        is. An evaluator is for the supernet as it was when it was made: not for other stitches.
    recalibration: batches of inputs, or of tuples that start with them, that the batch norms of
        each genotype take their statistics from (see `netstitch.fitting.recalibrated`), so that
        what is measured is the subnetwork as it is exported with the same inputs. A tensor then
        depends on the whole genotype, so nothing is shared: `budget` is not used, genotypes
        evaluated together are computed one after the other, and each costs a pass over these
        batches more. By default norms keep the statistics of the basis networks.
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
    ) -> None:
        self.supernet = supernet
        self.task = task
        self.samples = samples
        self.form = form
        self.cache = ActivationCache(budget if recalibration is None else 0)
        # Kept as they are read, since every genotype reads them again.
        self._recalibration = (
            None
            if recalibration is None
            else [form.arrange(part.to(device)) for _, part in inputs(recalibration)]
        )
        self._weights = arranged_weights(supernet, form, device)
        self._batches = [form.arrange(part.to(device)) for part in samples.batches(form.batch)]
        self._shared = _shared_points(supernet)

    def evaluate(self, genotype: Genotype) -> Measured:
        """Objectives of one genotype.

        Raises DataError where outputs are not finite.
        """
        outputs = self.outputs(genotype)
        accuracy = self.task.accuracy(outputs, self.samples.labels)
        return Measured(accuracy, self.supernet.macs(genotype))

    def outputs(self, genotype: Genotype) -> Any:
        """The subnetwork's output for all samples, as the network gives it."""
        graph, _ = self.supernet.subnetwork_graph(genotype)
        plan = make_plan([graph], self._tensors(graph), self.cache.keys())
        worth = self._worth(graph, plan) if self.cache.budget else {}
        known = {key: self.cache.get(key) for key in plan.needed}
        results = self._run(plan, known, worth)
        joined = _joined(plan.outputs[0], results)
        for key in sorted(worth, key=lambda key: worth[key]):
            self.cache.put(key, [result[key] for result in results], worth[key])
        return joined

    def _tensors(self, graph: Graph) -> Mapping[str, Tensor]:
        """The weights that a subnetwork runs with."""
        if self._recalibration is None:
            return self._weights
        keys = [node.path for node in graph.nodes if node.operation == WEIGHT]
        own = {key: self._weights[key] for key in keys}
        with threads(1):  # so that statistics do not depend on the cores there are
            return recalibrated(graph, own, self._recalibration)

    def _worth(self, graph: Graph, plan: Plan) -> dict[Key, float]:
        """The work behind the values that take longer to make than to keep.

        Keeping costs a walk through memory.
        """
        keys = content_keys(graph)
        work = depths(graph, keys)
        made = {step.key for step in plan.steps}
        return {
            keys[node.name]: work[keys[node.name]]
            for node in graph.nodes
            if node.name in self._shared
            and node.shape is not None
            and keys.get(node.name) in made
            and work[keys[node.name]] > KEEPING * sample_bytes(node)
        }

    def outputs_together(self, genotypes: Sequence[Genotype]) -> list[Any]:
        """Outputs of several genotypes, batch by batch, each common tensor computed once.

        In parts, where all of them together would hold more than TOGETHER bytes.
        """
        if self._recalibration is not None:
            return [self.outputs(genotype) for genotype in genotypes]
        return [
            _joined(pairs, results)
            for plan in self._plans(genotypes)
            for results in [self._run(plan, {}, ())]
            for pairs in plan.outputs
        ]

    def _plans(self, genotypes: Sequence[Genotype]) -> Iterator[Plan]:
        graphs = [self.supernet.subnetwork_graph(genotype)[0] for genotype in genotypes]
        plan = make_plan(graphs, self._weights)
        at_once = self.form.batch * self.form.workers
        if len(genotypes) < 2 or peak_bytes(plan) * at_once <= TOGETHER:
            yield plan
            return
        half = len(genotypes) // 2
        yield from self._plans(genotypes[:half])
        yield from self._plans(genotypes[half:])

    def _run(
        self, plan: Plan, known: Mapping[Key, Sequence[Tensor]], kept: Collection[Key]
    ) -> list[dict[Key, Any]]:
        """Results by batch, in order; batches run side by side."""

        def run(index: int) -> dict[Key, Any]:
            values = {key: tensors[index] for key, tensors in known.items()}
            with torch.inference_mode():  # it holds for one thread only
                return execute(plan, self._batches[index], values, kept)

        with batch_workers(self.form.workers) as pool:
            return list(pool.map(run, range(len(self._batches))))

    def correct_together(
        self, genotypes: Sequence[Genotype]
    ) -> list[np.ndarray[Any, np.dtype[np.bool_]]]:
        """Which samples each genotype gets right, (n,) each.

        Raises DataError where outputs are not finite.
        """
        return [
            self.task.correct(outputs, self.samples.labels).numpy()
            for outputs in self.outputs_together(genotypes)
        ]


def arranged_weights(
    supernet: Supernet, form: Form, device: torch.device | str
) -> dict[str, Tensor]:
    """The supernet's tensors by path, laid out like the activations that they meet."""
    tensors = supernet.tensors()
    return {path: form.arrange(tensor.detach().to(device)) for path, tensor in tensors.items()}


def _shared_points(supernet: Supernet) -> frozenset[str]:
    """Nodes of subnetworks worth keeping: those at which other subnetworks may turn off."""
    places = {switch.place for switch in supernet.switches}
    places |= {stitch.source for stitch in supernet.stitches}
    names = {f"{supernet.names[place.network]}_{place.point}" for place in places}
    outputs = {
        f"{name}_{node}"
        for name, graph in zip(supernet.names, supernet.graphs, strict=True)
        for _, node in graph.outputs
    }
    return frozenset(names | outputs)


def _joined(pairs: Sequence[tuple[str | None, Key]], results: Sequence[dict[Key, Any]]) -> Any:
    tensors = {name: torch.cat([result[key] for result in results]).cpu() for name, key in pairs}
    return tensors.get(None, tensors)
