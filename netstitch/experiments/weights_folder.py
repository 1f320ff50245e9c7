"""Weights of networks from one folder, by the networks' names."""

from pathlib import Path

from netstitch.errors import WeightsError
from netstitch.experiments.experiment import NetworkTable
from netstitch.networks.checkpoints.file_kinds import ENDING, bare_name, shown
from netstitch.networks.sources.model_sources import origin_of


def weights_in(folder: Path, network: NetworkTable) -> Path:
    """Return the file of a network's weights: NAME.ENDING, or else one NAME-... or NAME_....ENDING.

    So files may keep the names that libraries and trainers gave them, such as
    resnet50-11ad3fa6.pth and resnet50_best.pth.tar.

    Raises:
        WeightsError: There is none, or more than one.
    """
    name = network.name
    if not folder.is_dir():
        raise WeightsError(
            f"{shown(folder)} is no folder; expected one with a file for each network"
        )
    try:
        files = sorted(path for path in folder.iterdir() if ENDING.search(path.name))
    except OSError as error:
        raise WeightsError(
            f"{shown(folder)} cannot be read ({error.strerror}); make it readable, or give a copy"
        ) from error
    exact = [path for path in files if bare_name(path.name) == name]
    found = exact or [path for path in files if path.name.startswith((f"{name}-", f"{name}_"))]
    if len(found) == 1:
        return found[0]
    expected = f"expected {name}.safetensors, or {name}.pth"
    if found:
        names = ", ".join(shown(Path(path.name)) for path in found)
        raise WeightsError(
            f"{shown(folder)} holds {names} for network {name!r}; {expected}, one of them"
        )
    raise WeightsError(
        f"{shown(folder)} holds no weights of network {name!r} ({network.model}); {expected}"
        f"{origin_of(network.model)}"
    )
