"""The time of exported cascades, beside the ensemble and the basis networks.

    python benchmarks/cascades.py [RUN --cascade C1] [--pair demo] [--threshold 0.55]
                                  [--images 10000] [--formats onnx pt2 module] [--threads 1]

A cascade of a run, by its label in front.json, or of a pair: the cheapest network, and where its
confidence is under the threshold the ensemble. Everything is exported, opened, and run on test
images, one and 64 at a time. All take turns on each part of the images, so that a machine that is
busy now and then is so for all; times are medians over the parts. Beside them stand the stages by
themselves: the first stage's network, and each later stage run for just the samples that reach it.
What a cascade takes beyond these is what deciding and picking samples out costs.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import torch
from pairs import PAIRS, load_supernet, load_task
from torch import Tensor

import netstitch as ns
from netstitch.exporting import export
from netstitch.exporting.onnx_format import ONNX_FILE, translated
from netstitch.exporting.staged_onnx import stage_models, wanted
from netstitch.exporting.subnetwork import take_subnetwork
from netstitch.networks.module import build_module
from netstitch.networks.staged import CONFIDENCE, StagedGraph, given
from netstitch.runs.recorded_run import open_run
from netstitch.stitching import Cascade, CascadeStage
from netstitch.supernet.cascade_parts import staged_graph
from netstitch.supernet.supernet import Runnable

Run = Callable[[list[Tensor]], list[Tensor]]
"""A network or stage: its inputs to its outputs."""

AT_ONCE, PARTS = (1, 64), 20
FIRST, STAGES = "first stage", "stages alone"


@dataclass(frozen=True)
class Options:
    """The form in which networks are run."""

    threads: int
    images: Tensor


def main() -> None:
    parser = argparse.ArgumentParser(description="Times of exported cascades")
    parser.add_argument("run", type=Path, nargs="?")
    parser.add_argument("--cascade", default="C1")
    parser.add_argument("--pair", choices=list(PAIRS), default="demo")
    parser.add_argument("--threshold", type=float, default=0.55)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--formats", nargs="+", choices=list(OPENING), default=list(OPENING))
    parser.add_argument("--threads", type=int, default=1)
    given_ = parser.parse_args()
    torch.set_num_threads(given_.threads)
    if given_.run is None:
        supernet, task = load_supernet(given_.pair), load_task(given_.pair)
        cascade = plain_cascade(supernet, given_.threshold)
    else:
        run = open_run(given_.run, trust=True)
        supernet, task = run.supernet(), run.task(lambda event: None)
        cascade = run.front.pick(point=given_.cascade).cascade
    assert task.test is not None
    options = Options(given_.threads, task.test.inputs[: given_.images])
    networks: dict[str, Runnable] = {
        "cascade": cascade,
        FIRST: cascade.stages[0].subnetwork,
        **supernet.references(),
    }
    costs = {name: supernet.macs(network) for name, network in networks.items()}
    shares, mean = mean_cost(supernet, cascade, options.images)
    whole = costs[supernet.outputs[-1]]
    print(
        f"{len(options.images)} test images, {given_.threads} thread(s); the cascade's stages run "
        f"for {', '.join(f'{100 * share:.1f} %' for share in shares)} of them, at "
        f"{100 * mean / whole:.1f} % of the ensemble's multiply-adds on average"
    )
    print("| run by | at once | what | us an image | of the ensemble | of its multiply-adds |")
    print("|---|---|---|---|---|---|")
    for form in given_.formats:
        with TemporaryDirectory() as folder:
            opened = {
                name: OPENING[form](supernet, network, Path(folder) / name, given_.threads)
                for name, network in networks.items()
            }
            stages = STAGE_OPENING[form](supernet, cascade, given_.threads)
        graph, _ = staged_graph(supernet, cascade)
        for at_once in AT_ONCE:
            found = times(opened, graph, stages, cascade, options.images, at_once)
            ensemble = found[supernet.outputs[-1]]
            told = costs | {"cascade": mean, STAGES: mean}
            for name, seconds in found.items():
                print(
                    f"| {form} | {at_once} | {name} | {1e6 * seconds:.0f} | "
                    f"{100 * seconds / ensemble:.0f} % | {100 * told[name] / whole:.0f} % |"
                )
            print(verdict(form, at_once, found, ensemble), flush=True)


def verdict(form: str, at_once: int, found: dict[str, float], ensemble: float) -> str:
    """Return a sentence on what becomes of the gain."""
    cascade, alone = found["cascade"], found[STAGES]
    text = f"{form}, {at_once} at once: {cascade / alone:.2f} of the stages alone"
    eaten = (cascade - alone) / max(ensemble - alone, 1e-12)
    if alone >= ensemble:
        return f"{text}, which save nothing here"
    return f"{text}; deciding and gathering eat {100 * max(0.0, eaten):.0f} % of what these save"


def plain_cascade(supernet: ns.Supernet, threshold: float) -> Cascade:
    """The cheapest network, and where it is unsure the ensemble."""
    *alone, ensemble = supernet.references().values()
    cheapest = min(alone, key=supernet.macs)
    first, last = (tuple(genotype.tolist()) for genotype in (cheapest, ensemble))
    return Cascade((CascadeStage(first, threshold), CascadeStage(last)))


def mean_cost(supernet: ns.Supernet, cascade: Cascade, images: Tensor) -> tuple[list[float], float]:
    """The share of images that each stage runs for, and the multiply-adds of an image."""
    graph, weights = staged_graph(supernet, cascade)
    stages = [as_run(build_module(one, weights, outputs=wanted(one))) for one in graph.stages]
    reached = np.zeros(len(stages))
    for batch in images.split(250):
        for index, count in enumerate(run_stages(graph, stages, cascade, batch)[1]):
            reached[index] += count
    shares = (reached / len(images)).tolist()
    costs = [one.multiply_adds for one in graph.stages]
    return shares, sum(share * cost for share, cost in zip(shares, costs, strict=True))


def times(
    opened: dict[str, Run],
    graph: StagedGraph,
    stages: list[Run],
    cascade: Cascade,
    images: Tensor,
    at_once: int,
) -> dict[str, float]:
    """Seconds an image of each network, and of the stages alone: medians over parts."""
    found: dict[str, list[float]] = {name: [] for name in (*opened, STAGES)}
    for network in opened.values():
        network([images[:at_once]])
    for part in images.chunk(PARTS):
        batches = part.split(at_once)
        for name, network in opened.items():
            started = time.perf_counter()
            for batch in batches:
                network([batch])
            found[name].append((time.perf_counter() - started) / len(part))
        later = sum(run_stages(graph, stages, cascade, batch)[0] for batch in batches)
        found[STAGES].append(found[FIRST][-1] + later / len(part))
    return {name: median(each) for name, each in found.items()}


def run_stages(
    graph: StagedGraph, stages: list[Run], cascade: Cascade, batch: Tensor
) -> tuple[float, list[int]]:
    """Seconds that later stages take for what reaches them, and how many reach each stage."""
    values, seconds, counts = [batch], 0.0, []
    for index, (stage, run) in enumerate(zip(graph.stages, stages, strict=True)):
        counts.append(len(values[0]))
        started = time.perf_counter()
        made = run(values)
        seconds += time.perf_counter() - started if index else 0
        known = dict(zip((*given(stage), *wanted(stage)), (*values, *made), strict=True))
        if index + 1 == len(stages):
            break
        outputs = dict(stage.outputs)
        going = known[outputs[CONFIDENCE]] < cascade.thresholds[index]
        if not going.any():
            break
        values = [known[outputs[name]][going] for name in given(graph.stages[index + 1])]
    return seconds, counts


def as_run(module: torch.nn.Module) -> Run:
    def run(values: list[Tensor]) -> list[Tensor]:
        with torch.inference_mode():
            found = module(*values)
        return list(found) if isinstance(found, list | tuple) else [found]

    return run


def session(model: str | bytes, threads: int) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    opened = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in opened.get_inputs()]

    def run(values: list[Tensor]) -> list[Tensor]:
        fed = {name: value.numpy() for name, value in zip(names, values, strict=True)}
        return [torch.from_numpy(value) for value in opened.run(None, fed)]

    return run


def open_onnx(supernet: ns.Supernet, network: Runnable, folder: Path, threads: int) -> Run:
    export(supernet, network, folder, formats=["onnx"])
    return session(str(folder / ONNX_FILE), threads)


def open_pt2(supernet: ns.Supernet, network: Runnable, folder: Path, threads: int) -> Run:
    export(supernet, network, folder, formats=["pt2"])
    return as_run(torch.export.load(folder / "model.pt2").module())


def open_module(supernet: ns.Supernet, network: Runnable, folder: Path, threads: int) -> Run:
    return as_run(supernet.subnetwork(network))


def stages_in_onnx(supernet: ns.Supernet, cascade: Cascade, threads: int) -> list[Run]:
    taken = take_subnetwork(supernet, cascade)
    assert isinstance(taken.graph, StagedGraph)
    models = stage_models(taken.graph, taken.weights, taken.example, translated)
    return [session(model.SerializeToString(), threads) for model in models]


def stages_in_torch(supernet: ns.Supernet, cascade: Cascade, threads: int) -> list[Run]:
    graph, weights = staged_graph(supernet, cascade)
    return [as_run(build_module(one, weights, outputs=wanted(one))) for one in graph.stages]


OPENING = {"onnx": open_onnx, "pt2": open_pt2, "module": open_module}
STAGE_OPENING = {"onnx": stages_in_onnx, "pt2": stages_in_torch, "module": stages_in_torch}


if __name__ == "__main__":
    main()
