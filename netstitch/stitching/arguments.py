"""What a supernet is made of, held against what it takes."""

from typing import Any

from netstitch.errors import StitchingError
from netstitch.matching.match import Matching
from netstitch.networks.network import Network
from netstitch.stitching.assembly import Averaging


def check_arguments(networks: Any, matching: Any, averaging: Any) -> Matching:
    """The matching; raises StitchingError unless the arguments are what they are called."""
    if not isinstance(networks, list | tuple) or not all(isinstance(n, Network) for n in networks):
        each = networks if isinstance(networks, list | tuple) else [networks]
        other = next((one for one in each if not isinstance(one, Network)), networks)
        raise StitchingError(
            f"the networks hold a {type(other).__name__}; expected a list of captured networks, "
            "[ns.capture(model_a, example), ns.capture(model_b, example)]"
            if other is not networks
            else f"the networks are a {type(other).__name__}; expected a list of two or more"
        )
    if not isinstance(matching, Matching):
        raise StitchingError(
            f"the matching is a {type(matching).__name__}; expected ns.match(a, b) of the networks"
        )
    if not isinstance(averaging, Averaging | None):
        raise StitchingError(
            f"averaging is {averaging!r:.80}; expected netstitch.stitching.Averaging('logits') or "
            "('probabilities')"
        )
    return matching
