"""How good a genotype is: accuracy on samples, and multiply-adds."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netstitch.errors import DataError
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
        self.form = form
        self._labels = samples.labels
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
        return self._measured(genotype, self.outputs(genotype))

    def evaluate_together(self, genotypes: Sequence[Genotype]) -> list[Measured | DataError]:
        """Objectives of some genotypes, what they have in common computed once.

        A DataError in the place of those whose outputs are not finite.
        """
        found: list[Measured | DataError] = []
        for genotype, outputs in zip(genotypes, self._outputs(genotypes), strict=True):
            try:
                found.append(self._measured(genotype, outputs))
            except DataError as error:
                found.append(error)
        return found

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

    def _outputs(self, genotypes: Sequence[Genotype]) -> Iterator[Any]:
        """Outputs in the order of the genotypes, some at once."""
        if self._recalibration is not None and len(genotypes) > 1:
            for genotype in genotypes:
                yield from self._outputs([genotype])
            return
        graphs = [self.supernet.subnetwork_graph(genotype)[0] for genotype in genotypes]
        plan = make_plan(graphs, self._tensors(graphs), self.cache.keys())
        at_once = self.form.batch * self.form.workers
        if len(genotypes) > 1 and peak_bytes(plan) * at_once > TOGETHER:
            half = len(genotypes) // 2
            yield from self._outputs(genotypes[:half])
            yield from self._outputs(genotypes[half:])
            return
        worth = self._worth(graphs, plan) if self.cache.budget else {}
        known = {key: self.cache.get(key) for key in plan.needed}
        results = self._run(plan, known, worth)
        for key in sorted(worth, key=lambda key: worth[key]):
            self.cache.put(key, [result[key] for result in results], worth[key])
        for pairs in plan.outputs:
            yield _joined(pairs, results)

    def _tensors(self, graphs: Sequence[Graph]) -> Mapping[str, Tensor]:
        """The weights that subnetworks run with; of one alone where norms are recalibrated."""
        if self._recalibration is None:
            return self._weights
        [graph] = graphs
        keys = [node.path for node in graph.nodes if node.operation == WEIGHT]
        own = {key: self._weights[key] for key in keys}
        with threads(1):  # so that statistics do not depend on the cores there are
            return recalibrated(graph, own, self._recalibration)

    def _worth(self, graphs: Sequence[Graph], plan: Plan) -> dict[Key, float]:
        """The work behind the values that take longer to make than to keep.

        Keeping costs a walk through memory.
        """
        made = {step.key for step in plan.steps}
        worth: dict[Key, float] = {}
        for graph in graphs:
            keys = content_keys(graph)
            work = depths(graph, keys)
            worth |= {
                keys[node.name]: work[keys[node.name]]
                for node in graph.nodes
                if node.name in self._shared
                and node.shape is not None
                and keys.get(node.name) in made
                and work[keys[node.name]] > KEEPING * sample_bytes(node)
            }
        return worth

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

    def move(self, device: torch.device | str) -> None:
        """Run on another device from now on; what is kept is forgotten."""
        self.cache.clear()
        self._weights = {path: tensor.to(device) for path, tensor in self._weights.items()}
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
