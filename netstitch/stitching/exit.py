"""An exit: a linear map from a basis network's features to the task's outputs."""

from collections.abc import Sequence
from dataclasses import dataclass

from netstitch.errors import StitchingError
from netstitch.networks.keys import is_part


@dataclass(frozen=True)
class Exit:
    """The output that a linear map makes of features of one basis network.

    What is run is the beginning of the network, up to the last point read, and the map.

    Attributes:
        network: Index of the network.
        points: Names of the points whose features are read, in the order of computation; the last
            one names the exit.

    Raises:
        StitchingError: These are no index and names.
    """

    network: int
    points: tuple[str, ...]

    def __post_init__(self) -> None:
        if type(self.network) is not int:
            raise StitchingError(
                "an exit's network must be the index (int) of a basis network, "
                f"got {self.network!r:.80}"
            )
        if not isinstance(self.points, tuple) or not all(
            isinstance(point, str) for point in self.points
        ):
            raise StitchingError(
                f"an exit reads the points {self.points!r:.80}; expected their names, as a tuple"
            )

    @property
    def point(self) -> str:
        """The deepest point that is read."""
        return self.points[-1]


def exit_key(names: Sequence[str], one: Exit) -> str:
    """Return the prefix of an exit's weights; ".weight" and ".bias" follow."""
    return point_key(names[one.network], one.point)


def point_key(network: str, point: str) -> str:
    """Return the key under which an exit's nodes and weights at a point are stored."""
    return f"exits.{network}.{point if is_part(point) else f'{point}_'}"
