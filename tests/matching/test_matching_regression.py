import numpy as np
import torch
from chain_examples import slow_r2
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.matching.regression import Targets, held_out_r2


def drawn(seed, rows, width):
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def every_fourth(rows):
    return torch.arange(rows) % 4 == 3


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 99),
    st.integers(1, 12),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.sampled_from([1e-4, 1e-2, 1.0]),
)
def test_it_is_the_r2_of_each_target_alone(seed, width, widths, ridge):
    source = drawn(seed, 80, width) * 3 + 5
    mixed = [drawn(seed + 1 + i, width, size) for i, size in enumerate(widths)]
    targets = [source @ mix + drawn(seed + 9 + i, 80, mix.shape[1]) for i, mix in enumerate(mixed)]
    held = every_fourth(80)
    found = held_out_r2(source, Targets.of(targets, held, None, 0), held, ridge)
    expected = [slow_r2(source, target, held, ridge) for target in targets]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_projected_targets_are_close_to_whole_ones():
    held = every_fourth(800)
    source = drawn(0, 800, 20)
    target = source @ drawn(1, 20, 200) + 3 * drawn(2, 800, 200)
    whole, part = (
        held_out_r2(source, Targets.of([target], held, projections, 0), held, 1e-3)[0]
        for projections in (None, 32)
    )
    assert 0.4 < whole < 0.8
    assert abs(part - whole) < 0.05
    assert Targets.of([target], held, 32, 0).values.shape == (800, 32)


def test_narrow_targets_are_not_projected():
    held = every_fourth(40)
    target = drawn(1, 40, 5)
    assert Targets.of([target, target], held, 5, 0).values.shape == (40, 10)


def test_a_constant_target_has_no_r2_and_a_constant_source_none_to_give():
    held = every_fourth(40)
    constant, other = torch.full((40, 3), 0.1), drawn(0, 40, 2)
    assert held_out_r2(other, Targets.of([constant], held, None, 0), held, 1e-3)[0] == -np.inf
    found = held_out_r2(constant, Targets.of([other], held, None, 0), held, 1e-3)[0]
    assert -1 < found <= 0


def test_features_that_never_vary_do_no_harm():
    held = every_fourth(40)
    source = drawn(0, 40, 3)
    dead = torch.cat([source, torch.full((40, 2), 7.0)], 1)
    target = Targets.of([source.flip(1)], held, None, 0)
    assert held_out_r2(dead, target, held, 1e-3)[0] > 0.99


def test_what_was_learned_by_heart_does_not_count():
    held = every_fourth(40)
    found = held_out_r2(drawn(0, 40, 29), Targets.of([drawn(1, 40, 4)], held, None, 0), held, 1e-6)
    assert found[0] < -1
