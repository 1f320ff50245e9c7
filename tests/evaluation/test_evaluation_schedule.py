"""Schedules: what plans of graphs compute, bit for bit, and neither more nor twice."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_examples import images, random_genotype, random_supernet, seeds
from small_supernets import random_samples, small_supernet, three_networks

from netstitch.evaluation.runtime.execution_plan import ExecutionPlan, execute, peak_bytes
from netstitch.evaluation.runtime.fragments import THE_INPUT
from netstitch.evaluation.runtime.schedule import Schedule
from netstitch.networks.interpreter import Key, content_keys, make_plan, sample_bytes
from netstitch.networks.interpreter import execute as execute_graphs
from netstitch.stitching.subgraph import Averaging
from netstitch.supernet.supernet import Supernet

Genotype = np.ndarray


def names_of_values(supernet: Supernet, schedule: Schedule, genotype: Genotype) -> dict[int, str]:
    """For units, the node of the subnetwork's graph that has their value."""
    graph, _ = supernet.subnetwork_graph(genotype)
    found = {}
    for number, unit in enumerate(schedule.units.units):
        if unit.reads and unit.members:
            network, node = unit.members[-1]
            found[number] = f"{supernet.names[network]}_{node}"
    paths = [
        path.replace(".", "_").replace("stitches", "stitch") for path in supernet.stitch_paths()
    ]
    for switch, choices in zip(supernet.switches, schedule.units.choices, strict=True):
        for stitch, number in zip(switch.stitches[1:], choices[1:], strict=True):
            assert stitch is not None
            found[number] = paths[stitch]
    results = schedule.units.results[genotype[-1]]
    for (_, name), (_, number) in zip(graph.outputs, results, strict=True):
        found[number] = name
    return {number: name for number, name in found.items() if name in graph.by_name}


def needed_units(schedule: Schedule, genotype: Genotype) -> set[int]:
    """Units to compute, by walking back from the results."""
    units = schedule.units
    pending = [number for _, number in units.results[genotype[-1]]]
    found: set[int] = set()
    while pending:
        number = pending.pop()
        if number in found or number == THE_INPUT:
            continue
        found.add(number)
        pending += [
            read if read >= 0 else units.choices[-1 - read][genotype[-1 - read]]
            for read in units.units[number].reads
        ]
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
    values = execute(together, batch)
    for genotype, pairs in zip(genotypes, together.outputs, strict=True):
        graph, _ = supernet.subnetwork_graph(genotype)
        slow = make_plan([graph], weights)
        expected = execute_graphs(slow, batch, {})
        alone = schedule.plan([genotype])
        found = execute(alone, batch)
        for (name, key), (same, own), (other, slow_key) in zip(
            pairs, alone.outputs[0], slow.outputs[0], strict=True
        ):
            assert name == same == other
            assert torch.equal(values[key], expected[slow_key])
            assert torch.equal(found[own], expected[slow_key])


@settings(deadline=None, max_examples=150)
@given(seeds, st.sampled_from([2, 3]), seeds, seeds)
def test_keys_are_equal_exactly_where_content_is(
    seed: int, count: int, first: int, second: int
) -> None:
    supernet = random_supernet(seed, count, twins=False)
    schedule = Schedule(supernet, supernet.tensors())
    both: list[tuple[Key, Key]] = []
    for number in (first, second):
        genotype = random_genotype(supernet, number)
        keys = schedule.keys(genotype)
        graph, _ = supernet.subnetwork_graph(genotype)
        contents = content_keys(graph)
        names = names_of_values(supernet, schedule, genotype)
        both += [(keys[unit], contents[name]) for unit, name in names.items() if unit in keys]
        computed = {key for unit, key in keys.items() if unit != THE_INPUT}
        assert len(computed) == len(keys) - 1
        assert {keys[unit] for unit in names} <= computed
    assert len({key for key, _ in both}) == len({content for _, content in both}) == len(set(both))


@settings(deadline=None, max_examples=100)
@given(seeds, st.lists(seeds, min_size=1, max_size=4), st.booleans())
def test_nothing_is_computed_twice_or_for_nothing(
    seed: int, numbers: list[int], fused: bool
) -> None:
    supernet = random_supernet(seed)
    schedule = Schedule(supernet, supernet.tensors(), fused)
    genotypes = [random_genotype(supernet, number) for number in numbers]
    plan = schedule.plan(genotypes)
    assert len(plan.made) == len(set(plan.made))
    wanted = set()
    for genotype in genotypes:
        keys = schedule.keys(genotype)
        wanted |= {keys[unit] for unit in needed_units(schedule, genotype)}
    assert set(plan.made) == wanted
    assert execute(plan, images()).keys() == {key for pairs in plan.outputs for _, key in pairs}


@settings(deadline=None, max_examples=60)
@given(seeds, seeds)
def test_facts_are_those_of_the_graph(seed: int, number: int) -> None:
    supernet = random_supernet(seed, twins=False)
    schedule = Schedule(supernet, supernet.tensors())
    genotype = random_genotype(supernet, number)
    graph, _ = supernet.subnetwork_graph(genotype)
    plan, keys = schedule.plan([genotype]), schedule.keys(genotype)
    for unit, name in names_of_values(supernet, schedule, genotype).items():
        step = plan.made.index(keys[unit])
        assert plan.sizes[step] == sample_bytes(graph.by_name[name])


@settings(deadline=None, max_examples=60)
@given(seeds, st.lists(seeds, min_size=1, max_size=3), st.booleans())
def test_the_peak_is_what_a_slow_simulation_holds(
    seed: int, numbers: list[int], fused: bool
) -> None:
    supernet = random_supernet(seed)
    schedule = Schedule(supernet, supernet.tensors(), fused)
    plan = schedule.plan([random_genotype(supernet, number) for number in numbers])
    assert peak_bytes(plan) == max(held(plan, step) for step in range(len(plan.made)))


def held(plan: ExecutionPlan, step: int) -> int:
    """Bytes of what earlier steps made and is read from here on or is a result, and of this one."""
    results = {key for pairs in plan.outputs for _, key in pairs}
    later = {plan.keys[index] for index in plan.reads[plan.read_starts[step] :].tolist()}
    made = zip(plan.made[:step], plan.sizes.tolist(), strict=False)
    return int(sum(size for key, size in made if key in later | results) + plan.peaks[step])


@settings(deadline=None, max_examples=40)
@given(seeds, seeds, st.booleans())
def test_values_are_freed_after_their_last_use(seed: int, number: int, fused: bool) -> None:
    supernet = random_supernet(seed)
    schedule = Schedule(supernet, supernet.tensors(), fused)
    plan = schedule.plan([random_genotype(supernet, number)])
    results = {key for pairs in plan.outputs for _, key in pairs}
    starts = plan.read_starts.tolist()
    for value, key in enumerate(plan.keys):
        reads = np.flatnonzero(plan.reads == value)
        marked = [at for at in reads.tolist() if plan.last[at]]
        assert marked == ([] if key in results else [reads.max()])
    for step in range(len(plan.made)):
        own = plan.owned[starts[step] : starts[step + 1]]
        assert not (own & ~plan.last[starts[step] : starts[step + 1]]).any()


def test_subsets_of_three_networks_share_what_they_have_in_common() -> None:
    supernet = three_networks()
    schedule = Schedule(supernet, supernet.tensors())
    singles = [supernet.genotype(output) for output in ("net0", "net1", "net2")]
    made = set(schedule.plan(singles).made)
    everything = schedule.plan([*singles, supernet.genotype("ensemble")])
    assert len(set(everything.made) - made) == 1  # the average
    batch = random_samples(4).inputs
    values = execute(everything, batch)
    *alone, mean = [values[key] for pairs in everything.outputs for _, key in pairs]
    torch.testing.assert_close(torch.stack(alone).mean(0), mean)


@pytest.mark.parametrize("fused", [False, True])
def test_keys_do_not_depend_on_the_schedule_but_on_its_form(fused: bool) -> None:
    supernet = small_supernet()
    genotype = supernet.genotype("ensemble")
    one, other = (Schedule(supernet, supernet.tensors(), fused) for _ in range(2))
    assert one.keys(genotype) == other.keys(genotype)
    changed = Schedule(supernet, supernet.tensors(), not fused)
    assert one.plan([genotype]).outputs != changed.plan([genotype]).outputs
