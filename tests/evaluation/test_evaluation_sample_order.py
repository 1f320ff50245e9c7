"""Orders of samples: each part of a race stands for all of them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_supernets import random_task, small_supernet

from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.evaluation.sample_order import most_informative_order, nested_order


def test_samples_in_another_order_measure_the_same() -> None:
    supernet, task = small_supernet(), random_task()
    form = NumericsConfig(True, 5, 1)
    plain = Evaluator(supernet, task, task.validation, form)
    references = list(supernet.references().values())
    order = most_informative_order(
        [sure for (sure,) in plain.measured_together(references, task.margin)]
    )
    assert sorted(order.tolist()) == list(range(len(task.validation)))
    other = Evaluator(supernet, task, task.validation.taken(order), form)
    generator = np.random.default_rng(2)
    for genotype in [
        *references,
        *(generator.integers(0, supernet.cardinalities) for _ in "12345"),
    ]:
        assert other(genotype) == plain(genotype)
        assert torch.allclose(other.outputs(genotype), plain.outputs(genotype)[order], atol=1e-5)


def test_the_hardest_samples_are_those_with_the_least_margin() -> None:
    task = replace(random_task(), classes=3)
    labels = torch.tensor([0, 1, 2])
    outputs = torch.tensor([[5.0, 0, 0], [2.0, 1, 0], [0.0, 0, 1]])
    assert task.margin(outputs, labels).tolist() == [5, -1, 1]
    assert most_informative_order([task.margin(outputs, labels)]).tolist() == [1, 2, 0]


@given(st.data())
@settings(deadline=None)
def test_each_part_holds_its_share_of_every_label_and_its_hardest_first(
    data: st.DataObject,
) -> None:
    n = data.draw(st.integers(2, 120))
    ends = sorted(data.draw(st.sets(st.integers(1, n - 1), max_size=4)))
    seed = data.draw(st.integers(0, 1000))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (n,), generator=generator)
    sure = torch.randint(0, 20, (n,), generator=generator)
    order = nested_order(labels, [sure], ends, seed)
    assert sorted(order.tolist()) == list(range(n))
    assert torch.equal(order, nested_order(labels, [sure], ends, seed))
    sizes = [*ends, n]
    for size, larger in pairwise(sizes):
        part, around = order[:size], order[:larger]  # nested: the beginning of the next
        for label in range(4):
            share = size / larger * (labels[around] == label).sum()
            assert abs((labels[part] == label).sum() - share) < 1 + 1e-6
            for limit in range(20):  # and of what is hard among those of a label
                hard = (labels == label) & (sure < limit)
                assert abs(hard[part].sum() - size / larger * hard[around].sum()) < 1 + 1e-6
    for start, end in zip([0, *ends], sizes, strict=True):
        certainties = sure[order[start:end]]
        assert torch.equal(certainties, certainties.sort().values)


@given(st.integers(1, 50), st.integers(0, 5))
@settings(deadline=None)
def test_without_parts_it_is_the_most_informative_order(n: int, seed: int) -> None:
    sure = torch.rand(n, generator=torch.Generator().manual_seed(seed))
    maps = torch.zeros(n, 2, 2, dtype=torch.uint8)
    assert torch.equal(nested_order(maps, [sure], (), seed), most_informative_order([sure]))
