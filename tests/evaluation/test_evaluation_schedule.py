"""Schedules: what graphs compute, bit for bit, and neither more nor twice."""

from collections import Counter
from itertools import pairwise

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_examples import images, random_genotype, random_supernet, seeds
from small_supernets import random_samples, three_networks

from netstitch.evaluation.runtime.fragments import THE_INPUT, content
from netstitch.evaluation.runtime.schedule import ExecutionPlan, Schedule, execute, peak_bytes
from netstitch.networks.content import content_keys, sample_bytes
from netstitch.networks.interpreter import make_interpreter
from netstitch.stitching.subgraph import Averaging
from netstitch.supernet.supernet import Supernet

Genotype = np.ndarray


def names_of_values(supernet: Supernet, schedule: Schedule, genotype: Genotype) -> dict[int, str]:
    """For fragments, the node of the subnetwork's graph that has their value."""
    graph, _ = supernet.subnetwork_graph(genotype)
    found = {}
    for number, fragment in enumerate(schedule.fragments.every):
        if fragment.reads and fragment.members:
            network, node = fragment.members[-1]
            found[number] = f"{supernet.names[network]}_{node}"
    paths = [
        path.replace(".", "_").replace("stitches", "stitch") for path in supernet.stitch_paths()
    ]
    for switch, choices in zip(supernet.switches, schedule.fragments.choices, strict=True):
        for stitch, number in zip(switch.stitches[1:], choices[1:], strict=True):
            assert stitch is not None
            found[number] = paths[stitch]
    results = schedule.fragments.results[genotype[-1]]
    for (_, name), (_, number) in zip(graph.outputs, results, strict=True):
        found[number] = name
    return {number: name for number, name in found.items() if name in graph.by_name}


def needed_values(schedule: Schedule, genotype: Genotype) -> dict[int, str]:
    """Fragments to compute, by walking back from the results, and all that goes into each."""
    fragments = schedule.fragments
    found = {THE_INPUT: "input"}

    def value(number: int) -> str:
        if number not in found:
            fragment = fragments.every[number]
            reads = [
                read if read >= 0 else fragments.choices[-1 - read][genotype[-1 - read]]
                for read in fragment.reads
            ]
            found[number] = f"{content(fragment)}({','.join(map(value, reads))})"
        return found[number]

    for _, number in fragments.results[genotype[-1]]:
        value(number)
    del found[THE_INPUT]
    return found


@settings(deadline=None, max_examples=150)
@given(
    seeds,
    st.sampled_from([2, 3]),
    st.sampled_from([(None,), ("out", "aux")]),
    st.sampled_from(["logits", "probabilities"]),
    st.lists(seeds, min_size=1, max_size=4),
)
def test_outputs_are_bit_for_bit_those_of_graphs(
    seed: int, count: int, heads: tuple[str | None, ...], rule: str, numbers: list[int]
) -> None:
    averaging = Averaging(rule)  # type: ignore[arg-type]
    supernet = random_supernet(seed, count, heads=heads, averaging=averaging)
    weights = supernet.tensors()
    schedule = Schedule(supernet, weights)
    batch = images()
    genotypes = [random_genotype(supernet, number) for number in numbers]
    together = schedule.plan(genotypes)
    for genotype, outputs in zip(genotypes, execute(together, batch), strict=True):
        graph, _ = supernet.subnetwork_graph(genotype)
        expected = make_interpreter(graph, weights).run([batch])
        [alone] = execute(schedule.plan([genotype]), batch)
        assert list(outputs) == list(alone) == [key for key, _ in graph.outputs]
        for (key, value), slow in zip(outputs.items(), expected, strict=True):
            assert torch.equal(value, slow)
            assert torch.equal(alone[key], slow)


@settings(deadline=None, max_examples=150)
@given(seeds, st.sampled_from([2, 3]), seeds, seeds)
def test_values_are_one_exactly_where_content_is(
    seed: int, count: int, first: int, second: int
) -> None:
    supernet = random_supernet(seed, count, twins=False)
    schedule = Schedule(supernet, supernet.tensors())
    both: list[tuple[str, str]] = []
    computed: set[str] = set()
    genotypes = [random_genotype(supernet, number) for number in (first, second)]
    for genotype in genotypes:
        values = needed_values(schedule, genotype)
        graph, _ = supernet.subnetwork_graph(genotype)
        contents = content_keys(graph)
        names = names_of_values(supernet, schedule, genotype)
        both += [(values[number], contents[name]) for number, name in names.items()]
        assert len(schedule.plan([genotype]).interpreters) == len(set(values.values()))
        computed |= set(values.values())
    assert len({value for value, _ in both}) == len({key for _, key in both}) == len(set(both))
    assert len(schedule.plan(genotypes).interpreters) == len(computed)


@settings(deadline=None, max_examples=100)
@given(seeds, st.lists(seeds, min_size=1, max_size=4), st.booleans())
def test_nothing_is_computed_twice_or_for_nothing(
    seed: int, numbers: list[int], fused: bool
) -> None:
    supernet = random_supernet(seed)
    schedule = Schedule(supernet, supernet.tensors(), fused)
    genotypes = [random_genotype(supernet, number) for number in numbers]
    plan = schedule.plan(genotypes)
    starts = plan.steps.read_starts.tolist()
    reads = [tuple(plan.steps.reads[a:b].tolist()) for a, b in pairwise(starts)]
    steps = list(zip(map(id, plan.interpreters), reads, strict=True))
    assert len(steps) == len(set(steps))
    computed = set(range(1, 1 + len(steps)))
    assert computed | {0} >= set(plan.steps.reads.tolist()) | results_of(plan)
    assert computed <= set(plan.steps.reads.tolist()) | results_of(plan)
    assert all(read <= step for step, own in enumerate(reads) for read in own)


def results_of(plan: ExecutionPlan) -> set[int]:
    return {value for pairs in plan.outputs for _, value in pairs}


@settings(deadline=None, max_examples=60)
@given(seeds, seeds)
def test_facts_are_those_of_the_graph(seed: int, number: int) -> None:
    supernet = random_supernet(seed, twins=False)
    schedule = Schedule(supernet, supernet.tensors())
    genotype = random_genotype(supernet, number)
    graph, _ = supernet.subnetwork_graph(genotype)
    names = names_of_values(supernet, schedule, genotype).values()
    expected = Counter(sample_bytes(graph.by_name[name]) for name in names)
    assert expected
    assert not expected - Counter(schedule.plan([genotype]).sizes.tolist())


@settings(deadline=None, max_examples=60)
@given(seeds, st.lists(seeds, min_size=1, max_size=3), st.booleans())
def test_the_peak_is_what_a_slow_simulation_holds(
    seed: int, numbers: list[int], fused: bool
) -> None:
    supernet = random_supernet(seed)
    schedule = Schedule(supernet, supernet.tensors(), fused)
    plan = schedule.plan([random_genotype(supernet, number) for number in numbers])
    assert peak_bytes(plan) == max(held(plan, step) for step in range(len(plan.sizes)))


def held(plan: ExecutionPlan, step: int) -> int:
    """Bytes of what earlier steps made and is read from here on or is a result, and of this one."""
    held = set(plan.steps.reads[plan.steps.read_starts[step] :].tolist()) | results_of(plan)
    computed = enumerate(plan.sizes[:step].tolist(), 1)
    return int(sum(size for value, size in computed if value in held) + plan.peaks[step])


@settings(deadline=None, max_examples=40)
@given(seeds, seeds, st.booleans())
def test_values_are_freed_after_their_last_use(seed: int, number: int, fused: bool) -> None:
    supernet = random_supernet(seed)
    schedule = Schedule(supernet, supernet.tensors(), fused)
    plan = schedule.plan([random_genotype(supernet, number)])
    starts = plan.steps.read_starts.tolist()
    for value in range(1 + len(plan.sizes)):
        reads = np.flatnonzero(plan.steps.reads == value)
        marked = [at for at in reads.tolist() if plan.steps.last[at]]
        assert marked == ([] if value in results_of(plan) else [reads.max()])
    for step in range(len(plan.sizes)):
        own = plan.steps.owned[starts[step] : starts[step + 1]]
        assert not (own & ~plan.steps.last[starts[step] : starts[step + 1]]).any()


def test_subsets_of_three_networks_share_what_they_have_in_common() -> None:
    supernet = three_networks()
    schedule = Schedule(supernet, supernet.tensors())
    singles = [supernet.genotype(output) for output in ("net0", "net1", "net2")]
    everything = schedule.plan([*singles, supernet.genotype("ensemble")])
    assert len(everything.sizes) == len(schedule.plan(singles).sizes) + 1  # the average
    *alone, mean = [outputs[None] for outputs in execute(everything, random_samples(4).inputs)]
    torch.testing.assert_close(torch.stack(alone).mean(0), mean)
