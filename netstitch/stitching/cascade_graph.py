"""The graph of a cascade: what each stage computes beyond the ones before, and how it decides."""

from collections.abc import Callable, Sequence

from netstitch.errors import StitchingError
from netstitch.networks.content import content_keys, renamed
from netstitch.networks.graph import INPUT, WEIGHT, Graph, Node
from netstitch.networks.inputs import FREE_LENGTH
from netstitch.networks.known_sizes import with_known_sizes
from netstitch.networks.staged import Ends, StagedGraph, split
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.stitching.cascade_confidence import NodeWriter, add_confidence, add_probabilities
from netstitch.stitching.cascade_terms import (
    Selected,
    Term,
    check_stages,
    temperatures_of,
    terms_of_subnetwork,
)
from netstitch.stitching.structure import Structure
from netstitch.stitching.subgraph import Averaging, NodeList, add_average

GraphOf = Callable[[Selected], Graph]
"""Returns the graph of a genotype or exit."""


def cascade_graph(
    structure: Structure,
    averaging: Averaging,
    cascade: Cascade,
    graph_of: GraphOf,
    *,
    output: str | None = None,
    probabilities: bool = False,
) -> StagedGraph:
    """Return the graph of a cascade whose genotypes fit the supernet.

    Tensors of equal content are one, and computed at the first stage that needs them.

    Args:
        structure: The supernet's.
        averaging: How it averages outputs.
        cascade: The stages, in normal form: equal genotypes are equal subnetworks.
        graph_of: Returns the graph of a genotype or exit.
        output: The key that decisions are made by, where the networks put out several.
        probabilities: Whether the networks put out probabilities there.

    Raises:
        StitchingError: The stages cannot answer as they say.
    """
    check_stages(cascade)
    return _CascadeBuilder(structure, averaging, cascade, graph_of, output, probabilities).result()


def decided_key(structure: Structure, output: str | None) -> str | None:
    """Return the key that decisions are made by; StitchingError where it is not there or clear."""
    keys = structure.graphs[0].output_keys
    if output is None and len(keys) == 1:
        return keys[0]
    if keys == (None,) or output not in keys:
        known = "one tensor" if keys == (None,) else ", ".join(map(repr, keys))
        raise StitchingError(
            f"the networks put out {known}, and the output that a cascade decides by is {output!r}"
            f"; {'leave output out' if keys == (None,) else 'give output= one of these'}"
        )
    return output


class _CascadeBuilder:
    def __init__(
        self,
        structure: Structure,
        averaging: Averaging,
        cascade: Cascade,
        graph_of: GraphOf,
        output: str | None,
        probabilities: bool,
    ) -> None:
        self.names, self.outputs = structure.names, structure.board.outputs
        self.averaging, self.cascade, self.graph_of = averaging, cascade, graph_of
        self.key = decided_key(structure, output)
        self.probabilities = probabilities
        self.nodes = NodeList()
        self.by_content: dict[str, str] = {}
        self.terms: dict[str, Term] = {}  # by the node of its tensor, in order of computation
        self.scaled: dict[str, Node] = {}  # divided by its temperature

    def result(self) -> StagedGraph:
        ends: list[Ends] = []
        for number, stage in enumerate(self.cascade.stages, start=1):
            try:
                ends.append(self._stage(number, stage))
            except StitchingError as error:
                raise StitchingError(f"stage {number} of the cascade: {error}") from None
        nodes = self.nodes.all
        if not any(node.kwargs.get(FREE_LENGTH) for node in nodes if node.operation == INPUT):
            nodes = tuple(map(with_known_sizes, nodes))
        return split(nodes, ends, self.key)

    def _stage(self, number: int, stage: CascadeStage) -> Ends:
        """Add a stage; return the nodes of its answer and confidence."""
        terms = terms_of_subnetwork(self.outputs, stage.subnetwork)
        own = [self._term(*each) for each in zip(terms, temperatures_of(stage, terms), strict=True)]
        answer = self._answer(number, self._averaged(stage, own))
        if stage.threshold is None:
            return answer.name, None
        write = self._writer(f"stage_{number}", answer)
        kind, before, shown = self.cascade.confidence, None, answer
        if kind == "agreement":
            others = [name for name in self.terms if name != own[-1]]
            if not others:
                raise StitchingError(
                    'its confidence is "agreement", and it has one output that agrees with none '
                    "before it; begin with an ensemble, or take another confidence"
                )
            shown = self.scaled[own[-1]]
            before = add_probabilities(write, self.scaled[others[-1]], self.probabilities)
        if len(shown.shape or ()) < 2 or shown.shape[1] == 1:  # type: ignore[index]
            raise StitchingError(
                f"its output has shape {shown.shape}; confidence is that of (batch, classes, ...)"
            )
        own_probabilities = add_probabilities(write, shown, self.probabilities)
        return answer.name, add_confidence(write, kind, own_probabilities, before).name

    def _averaged(self, stage: CascadeStage, own: Sequence[str]) -> list[str]:
        """Return the terms that a stage answers with the average of."""
        if stage.answer == "own":
            return list(own)
        if any(self.terms[name].network is None for name in own):
            raise StitchingError(
                "it answers with the mean of networks' outputs, and the supernet's `outputs` do "
                'not have those of its networks alone; give it the answer "own"'
            )
        return [name for name, term in self.terms.items() if term.network is not None]

    def _term(self, term: Term, temperature: float) -> str:
        """Add a term and what it depends on; return its tensor's node."""
        graph = self.graph_of(term.subnetwork)
        outputs = dict(graph.outputs)
        if self.key not in outputs:
            raise StitchingError(
                f"it puts out {', '.join(map(repr, outputs))} alone, and the cascade decides by "
                f"{self.key!r}; give output= of the exits"
            )
        name = self._add(graph)[outputs[self.key]]
        if name in self.terms:
            return name
        if self.probabilities and temperature != 1:
            raise StitchingError(
                f"its temperature is {temperature}, and the networks put out probabilities, "
                "which are not divided; give temperatures of 1"
            )
        self.terms[name] = term
        node = self.nodes.by_name[name]
        if temperature != 1:
            write = self._writer(name, node)
            node = write("div.Tensor", node, temperature, shape=node.shape)
        self.scaled[name] = node
        return name

    def _add(self, graph: Graph) -> dict[str, str]:
        """Add the nodes that are not there yet; return the names of all, by those in the graph."""
        contents, names = content_keys(graph), dict[str, str]()
        for node in graph.nodes:
            weight = node.operation == WEIGHT
            content = f"weight {node.path}" if weight else contents[node.name]
            if content not in self.by_content:
                self.by_content[content] = self.nodes.append(renamed(node, node.name, names))
            names[node.name] = self.by_content[content]
        return names

    def _answer(self, number: int, terms: Sequence[str]) -> Node:
        """Add the average of terms that are divided by their temperatures."""
        scaled = [self.scaled[name] for name in terms]
        if len(terms) == 1:
            return scaled[0]
        networks = [index for name in terms if (index := self.terms[name].network) is not None]
        made = add_average(
            *(self.nodes.append, self.averaging.rule, f"stage_{number}"),
            [self.names[index] for index in networks],
            shares=self.averaging.shares(networks),
            outputs=[node.name for node in scaled],
            like=scaled[0],
        )
        return self.nodes.by_name[made]

    def _writer(self, stem: str, like: Node) -> NodeWriter:
        return NodeWriter(self.nodes, stem, like.dtype)
