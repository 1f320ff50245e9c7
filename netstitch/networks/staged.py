"""A network of stages as data: later ones run for the samples that earlier ones are unsure of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from netstitch.networks.graph import BATCH, INPUT, WEIGHT, Graph, Node, Ref, references
from netstitch.networks.operations import KINDS, Kind

ANSWER, CONFIDENCE = "answer", "confidence"
"""The keys of a stage's first outputs; the last stage has no confidence."""

THRESHOLD = "threshold"
"""The key of the buffer (stages - 1,) that confidence is compared with."""

Ends = tuple[str, str | None]
"""The nodes of a stage's answer (batch, ...) and confidence (batch,); the last stage has none."""


@dataclass(frozen=True)
class StagedGraph:
    """Graphs of stages, which are run in order, each for fewer samples.

    The outputs of a stage are its answer, its confidence, and the values that later stages read,
    by name. Those values, of the samples that go on, are the inputs of the next stage, by the same
    names. The first stage reads the network's input.

    Attributes:
        stages: Two or more.
        key: The key of the network's output; None where it is one tensor.
    """

    stages: tuple[Graph, ...]
    key: str | None = None

    @cached_property
    def input(self) -> Node:
        """The node that stands for the network's input."""
        return self.stages[0].input

    @property
    def output_keys(self) -> tuple[str | None, ...]:
        """The keys of the outputs: the one that decisions are made by."""
        return (self.key,)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes of all stages, the inputs of later ones left out."""
        first, *others = self.stages
        later = (node for graph in others for node in graph.nodes if node.operation != INPUT)
        return (*first.nodes, *later)

    @property
    def ends(self) -> tuple[Ends, ...]:
        """The nodes of each stage's answer and confidence."""
        found = [dict(graph.outputs) for graph in self.stages]
        return tuple((one[ANSWER], one.get(CONFIDENCE)) for one in found)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of a sample that all stages run for."""
        return sum(graph.multiply_adds for graph in self.stages)

    @property
    def weight_paths(self) -> tuple[str, ...]:
        """The keys of the weights but the thresholds, each once."""
        return tuple(dict.fromkeys(n.path for n in self.nodes if n.operation == WEIGHT))


def threshold_node(graph: StagedGraph) -> Node:
    """Return the node of the buffer of thresholds."""
    shape = (len(graph.stages) - 1,)
    return Node(THRESHOLD, WEIGHT, shape=shape, dtype="float32", path=THRESHOLD)


def check_staged(graph: StagedGraph) -> None:
    """Raise ValueError unless stages fit one another: a graph that was read may be anything."""
    if len(graph.stages) < 2:
        raise ValueError(f"it has {len(graph.stages)} stages; a cascade has two or more")
    if len(given(graph.stages[0])) != 1:
        raise ValueError("its first stage does not have exactly one input")
    answers = []
    for index, stage in enumerate(graph.stages):
        outputs = {key: stage.by_name[name] for key, name in stage.outputs}
        last = index + 1 == len(graph.stages)
        if ANSWER not in outputs or (CONFIDENCE in outputs) == last:
            raise ValueError(f"stage {index + 1} does not put out an answer and how sure it is")
        if not given(stage):
            raise ValueError(f"stage {index + 1} reads nothing")
        answers.append((outputs[ANSWER].shape, outputs[ANSWER].dtype))
        if last:
            break
        if outputs[CONFIDENCE].shape != (BATCH,):
            raise ValueError(f"the confidence of stage {index + 1} is not one number a sample")
        for node in graph.stages[index + 1].nodes:
            source = outputs.get(node.name)
            if node.operation == INPUT and (source is None or not _alike(source, node)):
                raise ValueError(f"stage {index + 1} does not put out {node.name!r} of the next")
    if len(set(answers)) > 1 or not _by_sample(graph.stages[0].by_name[graph.ends[0][0]]):
        raise ValueError("the answers of its stages differ in shape or type")


def _alike(source: Node, node: Node) -> bool:
    return _by_sample(source) and (source.shape, source.dtype) == (node.shape, node.dtype)


def given(graph: Graph) -> tuple[str, ...]:
    """Return the names of a stage's inputs, in order."""
    return tuple(node.name for node in graph.nodes if node.operation == INPUT)


def split(nodes: Sequence[Node], ends: Sequence[Ends], key: str | None) -> StagedGraph:
    """Return the graph of stages that compute together what nodes do, each node where first needed.

    A later stage computes what no earlier one did, and what cannot be picked out by sample.

    Args:
        nodes: Of all stages, in topological order.
        ends: Of each stage.
        key: Of the network's output.
    """
    by_name = {node.name: node for node in nodes}
    computed: set[str] = set()
    parts = []
    for end in ends:
        own, read = _reach(nodes, [name for name in end if name is not None], computed, by_name)
        computed |= own
        parts.append((own, read))
    handed: list[set[str]] = []  # what each stage is given, for itself and for those behind it
    behind: set[str] = set()
    for own, read in reversed(parts):
        behind = read | (behind - own)
        handed.insert(0, behind)
    stages = []
    for (own, _), inputs, (answer, confidence), onward in zip(
        parts, handed, ends, [*handed[1:], set[str]()], strict=True
    ):
        taken = [
            *(_input(node) for node in nodes if node.name in inputs),
            *(_in_stage(node, inputs, by_name) for node in nodes if node.name in own),
        ]
        outputs = [(ANSWER, answer), *([] if confidence is None else [(CONFIDENCE, confidence)])]
        outputs += [(node.name, node.name) for node in nodes if node.name in onward]
        stages.append(Graph(tuple(taken), tuple(outputs)))
    return StagedGraph(tuple(stages), key)


def _reach(
    nodes: Sequence[Node], ends: Sequence[str], computed: set[str], by_name: dict[str, Node]
) -> tuple[set[str], set[str]]:
    """Return the nodes that a stage computes for its ends, and those it reads of earlier stages."""
    own: set[str] = set()
    read: set[str] = set()
    needed = set(ends)
    for node in reversed(nodes):
        if node.name not in needed:
            continue
        if node.name in computed and _by_sample(node):
            read.add(node.name)
            continue
        own.add(node.name)
        # A later stage's batch size is that of anything it reads.
        if not (computed and _is_batch_size(node, by_name)):
            needed.update(node.inputs)
    return own, read


def _by_sample(node: Node) -> bool:
    """Return whether the values of single samples can be picked out of a node's value."""
    first, *others = node.shape or (None,)
    return first == BATCH and all(isinstance(size, int) for size in others)


def _is_batch_size(node: Node, by_name: dict[str, Node]) -> bool:
    if KINDS.get(node.operation) is not Kind.SIZE or node.args[1:] != (0,):
        return False
    return all(_by_sample(by_name[name]) for name in references(node.args[:1]))


def _input(node: Node) -> Node:
    return Node(node.name, INPUT, shape=node.shape, dtype=node.dtype)


def _in_stage(node: Node, inputs: set[str], by_name: dict[str, Node]) -> Node:
    """Return a node as it stands in a stage of such inputs."""
    if inputs and _is_batch_size(node, by_name):
        return replace(node, args=(Ref(min(inputs)), *node.args[1:]))
    return node
