import pytest
from small_supernets import small_supernet

from netstitch.cascades.measured_cascades import words_of
from netstitch.stitching.exit import Exit

SUPERNET = small_supernet()


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ("first_conv2d", "exit wide first"),
        ("relu_3", "exit wide relu_3"),  # a function of no module
    ],
)
def test_an_exit_is_named_by_its_module(point: str, words: str) -> None:
    assert words_of(SUPERNET, Exit(0, (point,))) == words


def test_a_stage_with_stitches_is_told_from_the_network() -> None:
    wide = SUPERNET.genotype("wide")
    assert words_of(SUPERNET, tuple(wide.tolist())) == "wide"
    wide[:-1] = 1
    assert words_of(SUPERNET, tuple(wide.tolist())) == "stitched wide"
