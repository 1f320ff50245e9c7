"""Lanes of any number of networks are told apart, and what lies over another can be read."""

import itertools
import re
from xml.etree import ElementTree

import pytest

from netstitch.drawing.lanes import (
    BAR,
    COLOURS,
    STYLE,
    Arrow,
    Bar,
    Line,
    bars_svg,
    lines_svg,
)

SVG = "{http://www.w3.org/2000/svg}"


def whole(lane: int) -> Bar:
    return Bar(lane, 0.0, 1.0, f"bar {lane}", f"label {lane}", True, True)


def test_eight_networks_have_eight_colours_wherever_they_are_drawn() -> None:
    names = [f"network {lane}" for lane in range(8)]
    joined = lines_svg(names, [], "none")
    filled = re.findall(r'<rect [^>]*fill="([^"]+)"', joined)
    assert filled == [*COLOURS]
    assert len({*filled}) == 8
    drawn = bars_svg(names, [whole(lane) for lane in range(8)], [])
    kinds = re.findall(r"part (network-\d+)", drawn)
    assert len({*kinds}) == 8
    assert [re.findall(rf"\.{kind} {{ fill: [^#]*(#\w+)", STYLE) for kind in kinds] == [
        [colour] for colour in COLOURS
    ]


def test_names_of_one_family_stay_apart() -> None:
    names = [f"tf_efficientnet_lite{size}" for size in range(3)]
    for svg in (lines_svg(names, [], ""), bars_svg(names, [whole(lane) for lane in range(3)], [])):
        texts = {each.text for each in ElementTree.fromstring(svg).iter(f"{SVG}text")}
        told = {text for text in texts if text and text.startswith("tf_")}
        assert len(told) == 3
        assert all(len(text) <= 16 for text in told)


def test_what_passes_a_lane_is_behind_it() -> None:
    lines = lines_svg("abc", [Line((0, 2), (0.2, 0.8), "")], "")
    assert lines.index("<line") < lines.index("<rect")
    arrows = bars_svg("abc", [whole(lane) for lane in range(3)], [Arrow(0, 2, 0.5, 0.5, 0, "", "")])
    assert arrows.index('class="stitch"') < arrows.index('class="part')


@pytest.mark.parametrize("lanes", [2, 3, 4, 8])
def test_labels_of_arrows_lie_off_bars_and_off_one_another(lanes: int) -> None:
    bars = [whole(lane) for lane in range(lanes)]
    arrows = [
        Arrow(0, lanes - 1, 0.5, 0.5, key, "", f"error 0.{key}") for key in range(min(lanes, 4))
    ]
    root = ElementTree.fromstring(bars_svg([*"abcdefgh"], bars, arrows))
    tops = [int(each.get("y", 0)) for each in root.iter(f"{SVG}rect")]
    texts = [each for each in root.iter(f"{SVG}text") if (each.text or "").startswith("error")]
    heights = sorted(int(each.get("y", 0)) for each in texts)
    assert len(heights) == len(arrows)
    assert not [y for y in heights for top in tops if top <= y - 4 <= top + BAR]
    assert all(b - a >= 13 for a, b in itertools.pairwise(heights))
