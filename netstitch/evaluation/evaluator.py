"""How good a genotype is: accuracy on samples, and multiply-adds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netstitch.evaluation.cache import ActivationCache
from netstitch.evaluation.form import Form, batch_workers
from netstitch.evaluation.plan import Key, Plan, Planner, execute
from netstitch.networks.graph import WEIGHT, Node
from netstitch.stitching.wiring import Genotype
from netstitch.supernet import Supernet
from netstitch.tasks import Samples, Task

KEEPING = 100
"""Operations that take as long as keeping one byte of activations, about, on a CPU."""


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
    """

    def __init__(
        self, supernet: Supernet, task: Task, samples: Samples, form: Form, *, budget: int = 0
    ) -> None:
        self.supernet = supernet
        self.task = task
        self.samples = samples
        self.form = form
        self.cache = ActivationCache(budget)
        # Weights are laid out like the activations, once, in a copy of their own.
        self._weights = {
            node_name: form.arrange(tensor.detach())
            for node_name, tensor in _by_node(supernet).items()
        }
        self._planner = Planner(self._weights)
        self._batches = [form.arrange(part) for part in samples.batches(form.batch)]
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
        plan = self._planner.plan([graph], self.cache)
        keys = self._planner.keys(graph)
        made = {step.key for step in plan.steps}
        kept = {
            keys[node.name]
            for node in graph.nodes
            if node.name in self._shared and keys[node.name] in made and self._worth(node, keys)
        }
        known = {key: self.cache.get(key) for key in plan.needed}
        results = self._run(plan, known, kept)
        joined = _joined(plan.outputs[0], results)
        for key in sorted(kept, key=self._planner.work):
            self.cache.put(key, [result[key] for result in results], self._planner.work(key))
        return joined

    def outputs_together(self, genotypes: Sequence[Genotype]) -> list[Any]:
        """Outputs of several genotypes, batch by batch, each common tensor computed once."""
        graphs = [self.supernet.subnetwork_graph(genotype)[0] for genotype in genotypes]
        plan = self._planner.plan(graphs)
        results = self._run(plan, {}, ())
        return [_joined(pairs, results) for pairs in plan.outputs]

    def _worth(self, node: Node, keys: Mapping[str, Key]) -> bool:
        """Whether a tensor takes longer to make than to keep, which costs a walk through memory."""
        size = 4 * prod(size for size in node.shape or () if isinstance(size, int))
        return self.cache.budget > 0 and self._planner.work(keys[node.name]) > KEEPING * size

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
        """Which samples each genotype gets right, (n,) each."""
        return [
            self.task.correct(outputs, self.samples.labels).numpy()
            for outputs in self.outputs_together(genotypes)
        ]


def _by_node(supernet: Supernet) -> dict[str, Tensor]:
    """The supernet's tensors by the name that their node has in subnetworks."""
    found: dict[str, Tensor] = {}
    tensors = supernet.tensors()
    for name, graph in zip(supernet.names, supernet.graphs, strict=True):
        for node in graph.nodes:
            if node.operation == WEIGHT:
                found[f"{name}_{node.name}"] = tensors[f"{name}.{node.path}"]
    for key, tensor in supernet.stitch_weights().items():
        found[key.replace(".", "_").replace("stitches", "stitch", 1)] = tensor
    return found


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
    tensors = {name: torch.cat([result[key] for result in results]) for name, key in pairs}
    return tensors[None] if None in tensors else tensors
