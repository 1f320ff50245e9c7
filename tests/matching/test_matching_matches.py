"""A matching in a notebook: how good it is, its points, and where they stand."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_supernets import small_supernet, three_networks

import netstitch as ns
from netstitch.drawing.lanes import LEFT, LENGTH
from netstitch.matching import Match, Matching
from netstitch.supernet.supernet import Supernet


def test_a_matching_names_its_points() -> None:
    html = Matching((Match(("a", None)), Match(("<x>", "c"))), 2.0, 3.0, "by hand")._repr_html_()
    assert "2 matches of weight 2 (at most 3 is possible), by by hand" in html
    assert "<td>&lt;x&gt;</td><td>c</td>" in html
    assert "<svg" not in html  # where its points stand is not known


@pytest.mark.parametrize("supernet", [small_supernet(), three_networks()], ids=["two", "three"])
def test_lines_join_points_where_they_stand(supernet: Supernet) -> None:
    """The share of multiply-adds done by a point, counted the obvious way."""
    svg = supernet.matching.svg()
    lines = [tuple(map(float, pair)) for pair in re.findall(r'x1="([\d.]+)".*?x2="([\d.]+)"', svg)]
    expected = []
    for match in supernet.matching:
        places = []
        for graph, point in zip(supernet.graphs, match.points, strict=True):
            names = [node.name for node in graph.nodes]
            if point is not None:
                before = graph.nodes[: names.index(point) + 1]
                share = sum(node.multiply_adds for node in before) / graph.multiply_adds
                places.append(round(LEFT + LENGTH * share, 1))
        expected += list(itertools.pairwise(places))
    assert lines == expected
    assert "<svg" in supernet.matching._repr_html_()
    for name in supernet.names:
        assert f">{name}</text>" in svg


def test_what_is_drawn_is_no_part_of_what_a_matching_is() -> None:
    supernet = small_supernet()
    plain = Matching(
        supernet.matching.matches,
        supernet.matching.weight,
        supernet.matching.upper_bound,
        supernet.matching.method,
    )
    assert plain == supernet.matching
    assert (
        ns.match(*supernet.networks, points="all")._repr_html_() == supernet.matching._repr_html_()
    )


@given(name=st.sampled_from(["<script>", "a&b", "x" * 40]))
def test_names_are_text(name: str) -> None:
    matching = Matching((Match(("<i>", "b")),), 1, 1, "m", (name, "other"), ((0.5, 0.25),))
    html = matching._repr_html_()
    assert "<script>" not in html
    assert "<i>" not in html
