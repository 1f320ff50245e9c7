"""JSON graph and safetensors: what netstitch itself reads back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from netstitch.exporting.subnetwork import Outputs, Subnetwork, by_key
from netstitch.networks.network_files import WEIGHTS_FILE
from netstitch.supernet.storage import SUBNETWORK_FILE, load_subnetwork, write_subnetwork

FILES = (SUBNETWORK_FILE, WEIGHTS_FILE)
USAGE = 'model = netstitch.load("FOLDER"); model(inputs)'


def write(subnetwork: Subnetwork, folder: Path, card: dict[str, Any]) -> None:
    write_subnetwork(folder, subnetwork.graph, dict(subnetwork.weights), card)


def reopen(subnetwork: Subnetwork, folder: Path) -> Callable[[Tensor], Outputs]:
    module = load_subnetwork(folder)
    return lambda inputs: by_key(module(inputs))
