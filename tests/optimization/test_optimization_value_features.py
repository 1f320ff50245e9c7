"""Features, against a loop over variables."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netstitch.optimization import Genotype, Objective, Problem
from netstitch.optimization.linear_surrogate.value_features import (
    EACH,
    MODE,
    OWN,
    SHARED,
    ValueFeatures,
)

OBJECTIVES = (Objective("a"), Objective("b"))


def slow_features(problem: Problem, modes: set[int], genotype: Genotype) -> list[float]:
    sizes = problem.cardinalities
    active = np.full(len(sizes), True) if problem.active is None else problem.active(genotype)
    values = [
        (variable, value)
        for variable in range(len(sizes))
        if variable not in modes
        for value in range(1, sizes[variable])
    ]
    there = [float(active[one] and genotype[one] == value) for one, value in values]
    choices = [(mode, value) for mode in sorted(modes) for value in range(sizes[mode])]
    chosen = [float(genotype[mode] == value) for mode, value in choices] or [1.0]
    own = [flag * one for flag in chosen for one in there]
    return [*chosen, sum(there), *there, *own]


@given(
    cardinalities=st.lists(st.integers(1, 4), min_size=1, max_size=6),
    modes=st.sets(st.integers(-6, 5), max_size=2),
    masked=st.booleans(),
    seed=st.integers(0, 999),
)
def test_features_are_values_away_from_0_alone_and_by_mode(
    cardinalities: list[int], modes: set[int], masked: bool, seed: int
) -> None:
    length = len(cardinalities)
    modes = {one for one in modes if -length <= one < length}
    generator = np.random.default_rng(seed)
    mask = generator.random(length) < 0.6
    problem = Problem(tuple(cardinalities), OBJECTIVES, active=(lambda _: mask) if masked else None)
    genotypes = list(generator.integers(cardinalities, size=(5, length)))
    features = ValueFeatures(problem, tuple(modes))
    found = features.of(genotypes)
    counted = {one % length for one in modes}
    assert found.tolist() == [slow_features(problem, counted, one) for one in genotypes]
    assert features.prior.shape == (found.shape[1],)


def test_coefficients_of_modes_vary_most_and_those_of_a_value_in_one_mode_least() -> None:
    problem = Problem((3, 2), OBJECTIVES)  # two values away from 0, and two modes
    prior = ValueFeatures(problem, (-1,)).prior
    expected = [MODE] * 2 + [EACH] + [SHARED] * 2 + [OWN] * 4
    np.testing.assert_allclose(np.sqrt(prior), expected)
    assert MODE > EACH > SHARED > OWN
