"""Families of cascades: which of them a front shows apart from others."""

import pytest

from netstitch.cascades.families import Families
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.stitching.exit import Exit

PLAIN = Cascade((CascadeStage((0, 0), 0.5), CascadeStage((0, 2))), "probability")
STITCHED = Cascade((CascadeStage((1, 0), 0.5), CascadeStage((0, 2))), "probability")
OF_EXIT = Cascade((CascadeStage(Exit(0, ("relu",)), 0.5), CascadeStage((0, 2))), "probability")


@pytest.mark.parametrize(
    ("with_exits", "every", "apart"),
    [
        ([PLAIN, OF_EXIT], [PLAIN, OF_EXIT], []),
        ([PLAIN, OF_EXIT], [OF_EXIT, STITCHED], [OF_EXIT]),
        ([], [PLAIN], []),
        ([], [STITCHED], []),
    ],
)
def test_those_with_exits_stand_apart_only_where_others_have_stitches(
    with_exits: list[Cascade], every: list[Cascade], apart: list[Cascade]
) -> None:
    found = Families({PLAIN: ()}, dict.fromkeys(with_exits, ()), dict.fromkeys(every, ()), ())
    assert found.apart == apart
