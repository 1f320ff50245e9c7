"""Stitches of other kinds than the package has, each trained alone: what they would be worth.

A lone stitch is solved for by least squares and then trained in the one network that it makes, by
Adam in the coordinates that refining uses, against the outputs of the network it stands for. It may
read 3 x 3 positions instead of one (solved over unfolded patches), or be of half the rank; or the
first layers of the target behind it are trained too, which a supernet could not share then.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

import netstitch as ns
from netstitch.files.alignment import aligned
from netstitch.fitting.moments import Moments
from netstitch.fitting.refinement.behaviour_losses import divergence
from netstitch.fitting.refinement.preconditioner import SMOOTHING, Preconditioner
from netstitch.fitting.solve import RIDGE, solve
from netstitch.networks.graph import WEIGHT, Graph, Node
from netstitch.networks.interpreter import Interpreter, make_interpreter
from netstitch.stitching.reachability import Genotype
from netstitch.stitching.stitch import Stitch
from netstitch.tasks import Classification

SOLVED, POSITIONS = 1_024, 64
"""Images that lone stitches are solved on, and positions of each, at most."""

BATCH, LEARNING_RATE = 32, 1e-2
LAYERS_RATE = 0.1
"""Rate of the target's layers, of the stitches'; these are in no coordinates of their own."""

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Lone:
    """A kind: positions read in each direction, share of full rank, and what else is trained."""

    kernel: int = 1
    rank: float = 1.0
    layers: bool = False


LONE = {
    "alone": Lone(),
    "alone, half rank": Lone(rank=0.5),
    "alone, 3 x 3": Lone(kernel=3),
    "alone, first layers too": Lone(layers=True),
}


@dataclass(frozen=True)
class Made:
    """A stitched network as it was trained, and its multiply-adds."""

    graph: Graph
    weights: Weights
    multiply_adds: int


def laid_out(tensor: Tensor) -> Tensor:
    """A tensor as convolutions of small networks are fastest."""
    return aligned(tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor)


def outputs(interpreter: Interpreter, inputs: Tensor, batch: int = 125) -> Tensor:
    """Return what a network gives for all inputs."""
    with torch.inference_mode():
        return torch.cat([interpreter.run([laid_out(x)])[0] for x in inputs.split(batch)])


def accuracy(graph: Graph, weights: Weights, task: Classification, samples: ns.Samples) -> float:
    """The accuracy of a network on samples."""
    ready = {key: laid_out(tensor) for key, tensor in weights.items()}
    found = outputs(make_interpreter(graph, ready), samples.inputs)
    return task.accuracy(found, samples.labels)


def train_alone(
    supernet: ns.Supernet,
    genotype: Genotype,
    stitch: int,
    kind: Lone,
    images: Tensor,
    taught: Tensor,
    *,
    steps: int,
    seed: int,
) -> Made:
    """Solve for a stitch of a kind in the network of a genotype, and train it there.

    taught: the outputs of the network it stands for, by image.
    """
    found = supernet.stitches[stitch]
    kernel = kind.kernel if found.layout.kernel else 1
    graph, given = supernet.subnetwork_graph(genotype)
    key = supernet.stitch_paths()[stitch]
    graph = with_kernel(graph, key, kernel)
    coordinates, weight, bias = solved(supernet, found, kernel, images)
    rank = max(1, math.ceil(kind.rank * min(weight.shape)))
    inner, offset = coordinates.inner(weight, bias)
    left, sizes, right = torch.linalg.svd(inner, full_matrices=False)
    factors = [left[:, :rank] * sizes[:rank].sqrt(), sizes[:rank, None].sqrt() * right[:rank]]
    # A stitch of full rank is one matrix: two would be trained at other rates.
    whole = kind.rank == 1
    trained = [*([inner] if whole else factors), offset]
    shape = (found.outputs, found.inputs, *([kernel, kernel] if found.layout.kernel else []))

    weights = {name: laid_out(tensor.detach().clone()) for name, tensor in given.items()}
    weights |= {f"{key}.weight": laid_out(weight.reshape(shape)), f"{key}.bias": bias}
    leaves = [weights[f"{key}.weight"], weights[f"{key}.bias"]]
    layers = [weights[name] for name in first_layers(graph, key)] if kind.layers else []
    for tensor in (*leaves, *layers, *trained):
        tensor.requires_grad_(True)

    def write() -> None:
        with torch.no_grad():
            now = trained[0] if whole else trained[0] @ trained[1]
            for leaf, value in zip(leaves, coordinates.weights(now, trained[-1]), strict=True):
                leaf.copy_(value.reshape(leaf.shape))

    write()
    groups = [{"params": trained, "rate": LEARNING_RATE}]
    if layers:
        groups.append({"params": layers, "rate": LEARNING_RATE * LAYERS_RATE})
    optimizer = torch.optim.Adam(groups, lr=LEARNING_RATE)
    interpreter = make_interpreter(graph, weights)
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        chosen = torch.randint(len(images), (BATCH,), generator=generator)
        loss = divergence(interpreter.run([laid_out(images[chosen])])[0], taught[chosen])
        gradients = torch.autograd.grad(loss, [*leaves, *layers])
        with torch.no_grad():
            moved, trained[-1].grad = coordinates.gradients(gradients[0].flatten(1), gradients[1])
            if whole:
                trained[0].grad = moved
            else:
                trained[0].grad, trained[1].grad = moved @ trained[1].T, trained[0].T @ moved
        for layer, gradient in zip(layers, gradients[2:], strict=True):
            layer.grad = gradient
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimizer.step()
        write()
    cost = found.multiply_adds * kernel**2
    if not whole:
        cost = rank * (found.inputs * kernel**2 + found.outputs) * found.positions
    total = supernet.macs(genotype) - found.multiply_adds + cost
    return Made(graph, {name: tensor.detach() for name, tensor in weights.items()}, total)


def solved(
    supernet: ns.Supernet, stitch: Stitch, kernel: int, images: Tensor
) -> tuple[Preconditioner, Tensor, Tensor]:
    """The coordinates of a stitch, and its weight (outputs, inputs kernel^2) and bias."""
    moments = Moments([stitch.inputs * kernel**2, stitch.outputs], [(0, 1)])
    for batch in images[:SOLVED].split(64):
        source, target = supernet.features(aligned(batch), [stitch.source, stitch.target])
        moments.add([_rows(stitch, source, kernel), _rows(stitch, target, 1)])
    (found,) = solve(moments, 0, [1], RIDGE)
    covariance, variance = moments.product(0, 0), moments.product(1, 1).diagonal()
    sizes, directions = torch.linalg.eigh(covariance / moments.count)
    sizes = sizes.clamp_min(0) + SMOOTHING * sizes.mean().clamp_min(1e-12)
    variance = variance / moments.count
    coordinates = Preconditioner(
        (directions * sizes.rsqrt()).T.contiguous().float(),
        moments.means[0].float(),
        (variance + 1e-6 * variance.mean().clamp_min(1e-12)).sqrt().float(),
    )
    return coordinates, found.weight.float(), found.bias.float()


def _rows(stitch: Stitch, features: Tensor, kernel: int) -> Tensor:
    """Features (observations, channels kernel^2), the same positions of each image always."""
    if not stitch.layout.kernel:
        return stitch.layout.rows(features, torch.arange(len(features)), POSITIONS)
    patches = functional.unfold(features.float(), kernel, padding=kernel // 2)
    count = patches.shape[2]
    drawn = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:POSITIONS]
    return patches[:, :, drawn].movedim(1, 2).reshape(-1, patches.shape[1])


def with_kernel(graph: Graph, key: str, kernel: int) -> Graph:
    """The graph, its stitch reading kernel x kernel positions around each."""
    if kernel == 1:
        return graph

    def changed(node: Node) -> Node:
        if node.path == f"{key}.weight":
            assert node.shape is not None
            return replace(node, shape=(*node.shape[:2], kernel, kernel))
        if node.path == key:
            return replace(node, args=(*node.args, (1, 1), (kernel // 2, kernel // 2)))
        return node

    return Graph(tuple(changed(node) for node in graph.nodes), graph.outputs)


def first_layers(graph: Graph, key: str) -> Sequence[str]:
    """The keys of the first convolutions and linear layers that read what a stitch gives."""
    matrices = {
        node.name: node.path
        for node in graph.nodes
        if node.operation == WEIGHT and len(node.shape or ()) > 1
    }
    weights = {node.name: node.path for node in graph.nodes if node.operation == WEIGHT}
    behind = {node.name for node in graph.nodes if node.path == key}
    found: dict[str, None] = {}
    for node in graph.nodes:
        if behind.isdisjoint(node.inputs) or node.name in behind:
            continue
        if matrices.keys().isdisjoint(node.inputs):
            behind.add(node.name)
        else:
            found |= {weights[name]: None for name in node.inputs if name in weights}
    return list(found)
