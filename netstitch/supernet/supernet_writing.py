"""A supernet on disk: JSON and safetensors, written whole or not at all.

supernet.json              names, matches, output choices, how the ensemble is formed
networks/0, networks/1     graph.json and weights.safetensors of each basis network
stitches.safetensors       weights and biases of all stitches
fit.json                   how well each stitch translates, where it was fitted
refine.json                what refining was worth, where stitches were refined
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from netstitch.files.folders import new_folder, write_json
from netstitch.matching.matches import Matching
from netstitch.networks.network import Network
from netstitch.networks.network_files import write_network, write_weights
from netstitch.stitching.subgraph import Averaging
from netstitch.stitching.switches import Switchboard

SUPERNET_FILE, STITCHES_FILE, FIT_FILE = "supernet.json", "stitches.safetensors", "fit.json"
REFINE_FILE = "refine.json"
SUPERNET, FIT, REFINE = "netstitch-supernet-1", "netstitch-fit-1", "netstitch-refine-1"


def write_supernet(
    folder: Path,
    *,
    names: Sequence[str],
    networks: Sequence[Network],
    matching: Matching,
    board: Switchboard,
    averaging: Averaging,
    stitches: Mapping[str, Tensor],
    fitted: bool,
    fit: Mapping[str, Any] | None,
    refined: Mapping[str, Any] | None = None,
) -> None:
    """Write all that a supernet is made of into a new folder.

    stitches: weights and biases by key. fitted: whether they mean something. fit, refined: the
    reports as plain data, where they are.

    Raises StorageError when the folder exists and is not empty, or cannot be written.
    """
    with new_folder(folder) as partial:
        for index, network in enumerate(networks):
            place = partial / "networks" / str(index)
            place.mkdir(parents=True)
            write_network(network, place)
        write_weights(partial / STITCHES_FILE, stitches)
        if fit is not None:
            write_json(partial / FIT_FILE, {"format": FIT} | dict(fit))
        if refined is not None:
            write_json(partial / REFINE_FILE, {"format": REFINE} | dict(refined))
        write_json(
            partial / SUPERNET_FILE,
            {
                "format": SUPERNET,
                "names": list(names),
                "matches": [list(match.points) for match in matching],
                "weight": matching.weight,
                "upper_bound": matching.upper_bound,
                "method": matching.method,
                "outputs": [list(subset) for subset in board.outputs],
                "ensemble": {"rule": averaging.rule, "weights": averaging.weights},
                "fitted": fitted,
            },
        )
