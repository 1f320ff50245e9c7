"""The course of the hypervolume against one that is computed anew for each network."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netstitch.analysis import hypervolume
from netstitch.analysis.course import hypervolume_course

ENSEMBLE = 20

network = st.tuples(
    st.one_of(st.just(float("nan")), st.integers(0, 10).map(lambda n: n / 10)),
    st.integers(1, 25),
)


@given(st.lists(network, max_size=40), st.sampled_from([0.0, 0.3]))
def test_it_is_that_of_all_networks_so_far(networks: list[tuple[float, int]], floor: float) -> None:
    accuracies, costs = [a for a, _ in networks], [c for _, c in networks]
    places, values = hypervolume_course(accuracies, costs, ensemble=ENSEMBLE, accuracy_floor=floor)
    steps = dict(zip(places.tolist(), values.tolist(), strict=True))
    now = 0.0
    for place in range(len(networks)):
        now = steps.get(place, now)
        known = [(a, c) for a, c in networks[: place + 1] if not np.isnan(a)]
        expected = hypervolume(
            [a for a, _ in known], [c for _, c in known], ensemble=ENSEMBLE, accuracy_floor=floor
        )
        assert abs(now - expected) <= 1e-12
    assert (np.diff(values) > 0).all()
