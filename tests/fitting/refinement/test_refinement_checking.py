"""What is wrong with a refining is known before stitches are fitted."""

from typing import Any

import pytest
from refinement_examples import maps, unfitted

from netstitch.errors import FittingError
from netstitch.fitting import check_refining


def test_what_can_be_refined_passes() -> None:
    supernet = unfitted()
    check_refining(supernet)
    check_refining(supernet, loss="labels", teacher="ensemble")
    check_refining(supernet, loss="features", teacher="own")


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"loss": "output"}, "did you mean 'outputs'"),
        ({"teacher": "resnet18"}, "there is no teacher 'resnet18'"),
        ({"loss": "features", "teacher": "ensemble"}, "no measure for other networks"),
    ],
)
def test_a_loss_or_teacher_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(FittingError, match=message):
        check_refining(unfitted(), **settings)


def test_a_loss_that_does_not_fit_the_outputs() -> None:
    with pytest.raises(FittingError, match="compares two or more classes"):
        check_refining(maps(classes=1))
