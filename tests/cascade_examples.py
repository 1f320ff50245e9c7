"""Cascades of small supernets, and the slow, obvious way to run them: one sample at a time."""

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from netstitch.matching import Matching
from netstitch.networks import capture
from netstitch.stitching import Cascade, CascadeStage, Exit
from netstitch.supernet.supernet import Supernet


def stage(
    supernet: Supernet,
    output: str,
    threshold: float | None = None,
    stitches: Any = (),
    **settings: Any,
) -> CascadeStage:
    """A stage of a genotype by its output and stitches."""
    genotype = tuple(supernet.genotype(output, stitches).tolist())
    return CascadeStage(genotype, threshold, **settings)


def one_by_one(
    supernet: Supernet, cascade: Cascade, inputs: Tensor, output: str | None = None
) -> tuple[Tensor, list[int]]:
    """The answer for each sample (n, classes, ...), and the stage that gave it."""
    stages = _stages(supernet, cascade, inputs, output)
    answers, left = [], []
    for sample in range(len(inputs)):
        for index, (one, (answer, sure)) in enumerate(zip(cascade.stages, stages, strict=True)):
            if one.threshold is None or sure[sample] >= one.threshold:
                answers.append(answer[sample])
                left.append(index)
                break
    return torch.stack(answers), left


def split_evenly(
    supernet: Supernet, cascade: Cascade, inputs: Tensor, output: str | None = None
) -> Cascade:
    """The cascade with thresholds at which half of the samples that reach a stage go on."""
    reached = torch.ones(len(inputs), dtype=torch.bool)
    stages = []
    for one, (_, sure) in zip(
        cascade.stages, _stages(supernet, cascade, inputs, output), strict=True
    ):
        if one.threshold is not None:
            ordered = sure[reached].sort().values
            threshold = ordered[len(ordered) // 2 - 1 : len(ordered) // 2 + 1].mean().item()
            one = replace(one, threshold=threshold)
            reached &= sure < threshold
        stages.append(one)
    return replace(cascade, stages=tuple(stages))


def _stages(
    supernet: Supernet, cascade: Cascade, inputs: Tensor, output: str | None
) -> list[tuple[Tensor, Tensor]]:
    """The answers of every stage for all samples, and how sure they are."""
    key = output
    if key is None and supernet.graphs[0].output_keys != (None,):
        (key,) = supernet.graphs[0].output_keys
    is_probability = supernet.puts_out_probabilities(key)
    networks: dict[tuple[Any, ...], tuple[int, Tensor]] = {}  # by what computes them
    computed: dict[tuple[Any, ...], Tensor] = {}
    found = []
    for one in cascade.stages:
        own = []
        for number, (signature, network, genotype) in enumerate(_terms(supernet, one)):
            with torch.no_grad():
                value = supernet(inputs, genotype)
            value = value if key is None else value[key]
            value = value / (one.temperatures[number] if one.temperatures else 1)
            value = computed.setdefault(signature, value)
            own.append(signature)
            if network is not None:
                networks.setdefault(signature, (network, value))
        if isinstance(one.subnetwork, Exit):
            answer = computed[own[0]]
        else:
            taken = networks if one.answer == "mean" else {s: networks[s] for s in own}
            answer = _mean(supernet, list(taken.values()))
        others = [value for signature, value in computed.items() if signature != own[-1]]
        pair = [*others[-1:], computed[own[-1]]]
        found.append((answer, _sureness(cascade.confidence, answer, pair, is_probability)))
    return found


def _terms(supernet: Supernet, one: CascadeStage) -> list[tuple[tuple[Any, ...], int | None, Any]]:
    if isinstance(one.subnetwork, Exit):
        return [((one.subnetwork,), None, one.subnetwork)]
    outputs = supernet.board.outputs
    single = [
        (network, [*one.subnetwork[:-1], outputs.index((network,))])
        for network in outputs[one.subnetwork[-1]]
    ]
    return [(supernet.signature(genotype), network, genotype) for network, genotype in single]


def _mean(supernet: Supernet, terms: list[tuple[int, Tensor]]) -> Tensor:
    if len(terms) == 1:
        return terms[0][1]
    weights = supernet.averaging.weights or (1.0,) * len(supernet.names)
    total = sum(weights[network] for network, _ in terms)
    if supernet.averaging.rule == "logits":
        return sum(weights[network] / total * value for network, value in terms)
    return sum(weights[network] / total * value.softmax(1) for network, value in terms).log()


def _sureness(kind: str, answer: Tensor, pair: list[Tensor], is_probability: bool) -> Tensor:
    shown = pair[-1] if kind == "agreement" else answer
    p = _probabilities(shown, is_probability)
    if kind == "probability":
        sure = p.max(1).values
    elif kind == "margin":
        ordered = p.sort(1).values
        sure = ordered[:, -1] - ordered[:, -2]
    elif kind == "entropy":
        sure = 1 - torch.special.entr(p).sum(1) / math.log(p.shape[1])
    else:
        sure = (p * _probabilities(pair[0], is_probability)).sum(1)
    return sure.flatten(1).mean(1) if sure.ndim > 1 else sure


def _probabilities(values: Tensor, already: bool) -> Tensor:
    return values / values.sum(1, keepdim=True) if already else values.softmax(1)


class Attending(nn.Module):
    """Classes of (n, 3, 8, 8): attention between patches, reshaped as (n, -1, heads, channels)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.norm, self.parts = nn.LayerNorm(width), nn.Linear(width, 3 * width)
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        n, _, width = tokens.shape
        parts = self.parts(self.norm(tokens)).reshape(n, -1, 3, 2, width // 2)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        tokens = tokens + mixed.transpose(1, 2).reshape(n, -1, width)
        return self.head(tokens.mean(1))


class Squeezing(nn.Module):
    """Classes of (n, 3, 8, 8): depthwise filters, norms and squeeze-excitation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem, self.norm1 = nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width)
        self.filter = nn.Conv2d(width, width, 3, 1, 1, groups=width, bias=False)
        self.norm2, self.pool = nn.BatchNorm2d(width), nn.AdaptiveAvgPool2d(1)
        self.reduce, self.expand = nn.Conv2d(width, 2, 1), nn.Conv2d(2, width, 1)
        self.norm3, self.head = nn.BatchNorm2d(width), nn.Linear(width, 3)
        for norm in (self.norm1, self.norm2, self.norm3):
            nn.init.uniform_(norm.running_mean, -0.1, 0.1)  # type: ignore[arg-type]
            nn.init.uniform_(norm.running_var, 0.1, 0.5)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x = functional.hardswish(self.norm1(self.stem(x)))
        y = self.norm2(self.filter(x))
        gates = functional.hardsigmoid(self.expand(self.reduce(self.pool(y)).relu()))
        y = self.norm3(y * gates + x)  # which no layer can carry
        return self.head(self.pool(y).flatten(1))


def mixed_supernet() -> Supernet:
    """A network that attends and one that squeezes, without stitches."""
    torch.manual_seed(2)
    example = torch.randn(2, 3, 8, 8)
    models = {"attending": Attending(8), "squeezing": Squeezing(6)}
    networks = [capture(model.eval(), example, name=name) for name, model in models.items()]
    return Supernet(networks, Matching((), 0.0, 0.0, "by hand"))
