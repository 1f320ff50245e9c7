"""What can be known of a refining before there is anything to refine."""

from netstitch.fitting.refinement.branches import OWN, Branches
from netstitch.fitting.refinement.joined import Joined
from netstitch.fitting.refinement.losses import OUTPUTS, LabelLoss


def check_refining(joined: Joined, *, loss: str | LabelLoss = OUTPUTS, teacher: str = OWN) -> None:
    """Raise FittingError where `refine` would, for a loss or teacher, whatever the images are.

    loss, teacher: as in `refine`. To be called before the stitches are fitted, which takes long.
    """
    Branches(joined, joined.tensors(), loss=loss, teacher=teacher)
