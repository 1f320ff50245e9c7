from dataclasses import replace

import pytest
import torch
from exporting_examples import small
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.errors import ExportError
from netstitch.exporting.export_check import BATCH_SIZES, check, difference, probes
from netstitch.exporting.subnetwork import TRACE_BATCH, take_subnetwork

NUMBERS = st.lists(st.floats(0.5, 2), min_size=1, max_size=6)


@given(NUMBERS, st.floats(-9e-5, 9e-5), st.data())
@settings(deadline=None)
def test_small_differences_are_reported_as_a_loop_finds_them(numbers, shift, data):
    noise = data.draw(st.lists(st.floats(-1, 1), min_size=len(numbers), max_size=len(numbers)))
    expected = torch.tensor(numbers, dtype=torch.float64)
    found = expected + shift * expected.max() * torch.tensor(noise, dtype=torch.float64)
    result = difference("f", 1, {None: expected}, {None: found})
    absolute = max(abs(a - b) for a, b in zip(expected.tolist(), found.tolist(), strict=True))
    assert result.absolute == pytest.approx(absolute, abs=1e-15)
    assert result.relative == pytest.approx(absolute / max(numbers), abs=1e-15)


@given(NUMBERS, st.floats(2e-4, 10), st.data())
@settings(deadline=None)
def test_larger_differences_are_errors(numbers, shift, data):
    at = data.draw(st.integers(0, len(numbers) - 1))
    found = list(numbers)
    found[at] += shift * max(numbers)
    with pytest.raises(ExportError, match=r"^f differs from the subnetwork by"):
        difference("f", 1, {None: torch.tensor(numbers)}, {None: torch.tensor(found)})


def test_each_output_is_compared_at_its_own_scale():
    expected = {"big": torch.tensor([1e4]), "small": torch.tensor([1.0])}
    found = {"big": torch.tensor([1e4]), "small": torch.tensor([1.1])}
    with pytest.raises(ExportError, match="in output 'small' at batch size 3"):
        difference("f", 3, expected, found)


def test_nan_is_a_difference():
    with pytest.raises(ExportError, match="f differs from the subnetwork by nan"):
        difference("f", 1, {None: torch.ones(2)}, {None: torch.tensor([1.0, float("nan")])})


def test_nan_of_the_subnetwork_is_named():
    nan = torch.tensor([float("nan")])
    with pytest.raises(ExportError, match="own output holds NaN"):
        difference("f", 1, {None: nan}, {None: nan})


def test_outputs_of_other_keys_or_shapes():
    with pytest.raises(ExportError, match=r"f has outputs \['b'\], the subnetwork \['a'\]"):
        difference("f", 1, {"a": torch.ones(1)}, {"b": torch.ones(1)})
    with pytest.raises(ExportError, match=r"f gives shape \(2,\) in output 'a'"):
        difference("f", 1, {"a": torch.ones(1)}, {"a": torch.ones(2)})


def test_a_file_that_fits_the_traced_batch_size_only():
    supernet = small()
    subnetwork = take_subnetwork(supernet, supernet.genotype("net7"))
    compared = probes(subnetwork)
    assert TRACE_BATCH not in BATCH_SIZES
    assert [len(probe.inputs) for probe in compared] == list(BATCH_SIZES)

    def fixed(batch):
        outputs = subnetwork(batch)
        return {None: outputs[None][:TRACE_BATCH]}

    with pytest.raises(ExportError, match=r"gives shape \(2, 3\) at batch size 5"):
        check("f", fixed, compared)
    assert check("f", subnetwork, compared).absolute == 0


def test_threads_are_as_before_after_a_check():
    supernet = small()
    subnetwork = take_subnetwork(supernet, supernet.genotype("net7"))
    before = torch.get_num_threads()
    seen = []

    def run(batch):
        seen.append(torch.get_num_threads())
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        check("f", run, probes(subnetwork))
    assert seen == [1]
    assert torch.get_num_threads() == before


def test_a_subnetwork_that_cannot_be_run_is_named():
    supernet = small()
    subnetwork = take_subnetwork(supernet, supernet.genotype())
    *before, last = subnetwork.graph.nodes
    changed = replace(last, args=(*last.args, *("x",) * 20))
    graph = replace(subnetwork.graph, nodes=(*before, changed))
    edited = replace(subnetwork, graph=graph)
    with pytest.raises(ExportError, match="the subnetwork cannot be run"):
        probes(edited)
