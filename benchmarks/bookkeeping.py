"""Times a genotype before its first operation, and what fused operations save.

    python benchmarks/bookkeeping.py [--only bookkeeping|fused] [--genotypes 300] [--images 32]

Bookkeeping: microseconds per genotype, one thread, of random genotypes of untrained pairs (each
stitch switch is on with the probability that searches start with, every second genotype is an
ensemble), each one's best of five passes. Ours: signature, active switches and multiply-adds from
the wiring, and the plan from the schedule: what to compute, once each, and to free. The former way,
in the same run, is a graph per genotype, its content keys and interpreter.

Fused: milliseconds of the same subnetwork as a plain module and in our two forms, one thread, the
three in turn, best of six; the largest difference of logits, and predictions that differ. In the
memory layout and batch size that is measured fastest, for the old demo's supernet (stitches fitted,
all 2,048 validation images for the predictions) and for two EfficientNet-Lites, untrained, at 224
pixels (random images).
"""

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import timm
import torch
import torchvision
from pairs import load_supernet, load_task
from torch import Tensor, nn

import netstitch as ns
from netstitch.evaluation import NumericsConfig, measure_numerics
from netstitch.evaluation.evaluator import arranged_weights
from netstitch.evaluation.runtime.schedule import Schedule, execute, peak_bytes
from netstitch.networks.content import united
from netstitch.networks.interpreter import make_interpreter
from netstitch.stitching.reachability import Genotype

PAIRS: dict[str, tuple[Callable[[], nn.Module], Callable[[], nn.Module]]] = {
    "resnet152 + efficientnet_b4": (
        lambda: timm.create_model("resnet152"),
        lambda: timm.create_model("efficientnet_b4"),
    ),
    "resnet101 + resnext101": (
        torchvision.models.resnet101,
        torchvision.models.resnext101_32x8d,
    ),
}
FORMER = 20
"""Genotypes that the former way is timed on, since it is slow."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Bookkeeping and fused operations")
    parser.add_argument("--only", choices=("bookkeeping", "fused"))
    parser.add_argument("--genotypes", type=int, default=300)
    parser.add_argument("--images", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.only != "fused":
        bookkeeping(options.genotypes)
    if options.only != "bookkeeping":
        fused(options.images)


def joined(models: Sequence[nn.Module], names: Sequence[str], size: int) -> ns.Supernet:
    example = torch.randn(2, 3, size, size)
    networks = [
        ns.capture(model.eval(), example, name=name)
        for model, name in zip(models, names, strict=True)
    ]
    supernet = ns.Supernet(networks, ns.match(*networks, points="all"))
    supernet.set_stitches(supernet.stitch_weights())  # random ones cost what fitted ones do
    return supernet


def random_genotypes(supernet: ns.Supernet, count: int, seed: int = 0) -> list[Genotype]:
    random = np.random.default_rng(seed)
    length = len(supernet.cardinalities)
    found = []
    for number in range(count):
        genotype = (random.random(length) < min(0.5, 6.18 / length)).astype(np.int64)
        last = supernet.cardinalities[-1]
        genotype[-1] = random.integers(last) if number % 2 else last - 1
        found.append(genotype)
    return found


def bookkeeping(count: int) -> None:
    rows: dict[str, list[float]] = {}
    lengths = []
    for models in PAIRS.values():
        torch.manual_seed(0)
        supernet = joined([make() for make in models], "ab", 224)
        lengths.append(len(supernet.cardinalities))
        for name, seconds in pieces(supernet, random_genotypes(supernet, count)).items():
            rows.setdefault(name, []).append(1e6 * seconds)
    print(f"| microseconds per genotype | {' | '.join(PAIRS)} |\n|---|{'---|' * len(PAIRS)}")
    print(f"| switches (l) | {' | '.join(map(str, lengths))} |")
    for name, values in rows.items():
        print(f"| {name} | {' | '.join(f'{value:,.0f}' for value in values)} |", flush=True)


def pieces(supernet: ns.Supernet, genotypes: Sequence[Genotype]) -> dict[str, float]:
    """Seconds per genotype of each piece, and of ours and of the former way together."""
    weights, wiring = supernet.tensors(), supernet.wiring
    schedule, other = (Schedule(supernet, weights, form) for form in (False, True))

    def wired(genotype: Genotype) -> None:
        wiring.digest(genotype)
        wiring.active(genotype)
        wiring.multiply_adds(genotype)

    def ours(genotype: Genotype) -> None:
        wired(genotype)
        schedule.plan([genotype])

    def graph_alone(genotype: Genotype) -> None:
        supernet.subnetwork_graph(genotype)

    def former(genotype: Genotype) -> None:
        wired(genotype)
        graph, _ = supernet.subnetwork_graph(genotype)
        assert make_interpreter(united([graph]), weights).instructions

    plans = iter([schedule.plan([genotype]) for genotype in genotypes] * 6)
    return {
        "signature, active switches, multiply-adds": timed(wired, genotypes),
        "plan": timed(lambda g: schedule.plan([g]), genotypes),
        "plan in the fused form": timed(lambda g: other.plan([g]), genotypes),
        "peak of memory": timed(lambda g: peak_bytes(next(plans)), genotypes),
        "**all of ours**": timed(ours, genotypes),
        "former: the graph alone": timed(graph_alone, genotypes[:FORMER]),
        "**all of the former way**": timed(former, genotypes[:FORMER]),
    }


def timed(work: Callable[[Genotype], object], genotypes: Sequence[Genotype]) -> float:
    """Seconds per genotype; of each genotype the best pass, so that other processes count less."""
    best = np.full(len(genotypes), np.inf)
    for attempt in range(6):  # the first one compiles, and prepares what is prepared once
        for index, genotype in enumerate(genotypes):
            started = time.perf_counter()
            work(genotype)
            if attempt:
                best[index] = min(best[index], time.perf_counter() - started)
    return float(best.mean())


def fused(images: int) -> None:
    print(
        "| supernet and form | subnetwork | plain | unfused | fused | plain / fused | "
        "logits differ by | predictions that differ |\n|---|---|---|---|---|---|---|---|"
    )
    task = load_task("old-demo")
    assert task.training is not None
    supernet = load_supernet("old-demo")
    supernet.fit(task.training.batches(64))
    inputs = task.validation.inputs
    compare("demo", supernet, inputs, measure_numerics(supernet, inputs, workers=1, fused=True))
    names = ("lite0", "lite1")
    torch.manual_seed(0)
    supernet = joined([timm.create_model(f"tf_efficientnet_{name}") for name in names], names, 224)
    inputs = torch.randn(images, 3, 224, 224)
    form = measure_numerics(supernet, inputs, workers=1, fused=True)
    compare("lite0 + lite1", supernet, inputs, form)


def compare(name: str, supernet: ns.Supernet, inputs: Tensor, form: NumericsConfig) -> None:
    weights = arranged_weights(supernet, form, "cpu")
    schedules = [Schedule(supernet, weights, choice) for choice in (False, True)]
    batches = [form.arrange(part) for part in inputs.split(form.batch)]
    subnetworks = dict(supernet.references())
    for number, genotype in enumerate(random_genotypes(supernet, 4)):
        subnetworks[f"random {number + 1}"] = genotype
    layout = "channels last" if form.channels_last else "channels first"
    for label, genotype in subnetworks.items():
        module = supernet.subnetwork(genotype)
        for owner in module.modules():
            for key, tensor in [*owner.named_parameters(recurse=False)]:
                setattr(owner, key, nn.Parameter(form.arrange(tensor.detach())))
        plans = [schedule.plan([genotype]) for schedule in schedules]

        def run(plan: object, batch: Tensor) -> Tensor:
            return execute(plan, batch)[0][None]  # type: ignore[arg-type]

        ways: list[Callable[[Tensor], Tensor]] = [
            module,
            lambda batch, plan=plans[0]: run(plan, batch),
            lambda batch, plan=plans[1]: run(plan, batch),
        ]
        least = [float("inf")] * 3
        with torch.inference_mode():
            for _ in range(6):
                for index, way in enumerate(ways):
                    started = time.perf_counter()
                    way(batches[0])
                    least[index] = min(least[index], time.perf_counter() - started)
            plain, unfused, ours = (torch.cat([way(part) for part in batches]) for way in ways)
        assert torch.equal(plain, unfused)
        flipped = int((plain.argmax(1) != ours.argmax(1)).sum())
        times = " | ".join(f"{1e3 * seconds:,.1f}" for seconds in least)
        print(
            f"| {name}, {layout}, {form.batch} images | {label} | {times} | "
            f"**{least[0] / least[2]:.2f}** | {(plain - ours).abs().max():.1e} | "
            f"{flipped} of {len(plain):,} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
