"""Networks that are joined put out the same: all of them logits, or all of them probabilities."""

from collections.abc import Sequence

from netstitch.errors import StitchingError
from netstitch.networks.network import Network
from netstitch.networks.probabilities import WAY_OUT, check_alike
from netstitch.stitching.assembly import Averaging


def check_outputs(
    names: Sequence[str], networks: Sequence[Network], averaging: Averaging
) -> frozenset[str | None]:
    """Return the keys of the outputs in which all networks put out probabilities.

    Raises StitchingError where only some do, and where an ensemble is to make probabilities of
    what are probabilities already.
    """
    found = check_alike(list(zip(names, networks, strict=True)))
    if found and averaging.rule == "probabilities":
        raise StitchingError(
            "the ensemble is to average probabilities, which it makes of logits, and the networks "
            f"end in probabilities already: for each, {WAY_OUT}"
        )
    return found
