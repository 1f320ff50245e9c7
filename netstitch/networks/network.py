"""A captured network: a graph, its weights, and a module that computes it."""

from collections.abc import Mapping

from torch import Tensor, nn

from netstitch.files.alignment import aligned, aligned_weights
from netstitch.networks.graph import WEIGHT, Graph
from netstitch.networks.module import build_module, register


class Network(nn.Module):
    """A trained model as a graph of tensor operations; callable like the model.

    Attributes:
        name: what reports call it.
        graph: nodes in topological order.
        module: a plain PyTorch module that computes the graph.
    """

    def __init__(self, name: str, graph: Graph, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.name = name
        self.graph = graph
        weights = aligned_weights(weights)
        self.module = build_module(graph, weights)
        own = self.weights  # without those of steps that no output depends on; a stitch may
        for node in graph.nodes:
            if node.operation == WEIGHT and node.path not in own:
                register(self.module, node.path, weights[node.path])

    def forward(self, x: Tensor) -> object:
        """Return the model's output for a batch: a tensor, or a dictionary of tensors."""
        return self.module(aligned(x))

    @property
    def weights(self) -> dict[str, Tensor]:
        """Frozen float32 parameters, buffers and constants by key, in aligned memory."""
        return dict(self.module.named_parameters()) | dict(self.module.named_buffers())

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one image."""
        return self.graph.multiply_adds

    def __repr__(self) -> str:
        return (
            f"Network({self.name}: {len(self.graph.nodes)} nodes, {len(self.graph.points)} points, "
            f"{self.multiply_adds / 1e6:.2f} M multiply-adds)"
        )

    def train(self, mode: bool = True) -> "Network":
        """Stay in evaluation behaviour: basis layers are frozen (the paper's section 3)."""
        return super().train(False)
