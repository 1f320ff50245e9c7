"""Weights of networks from one folder, by the networks' names."""

from pathlib import Path

from netstitch.errors import WeightsError
from netstitch.experiments.experiment import NetworkTable
from netstitch.networks.sources import origin_of

ENDINGS = (".safetensors", ".pth", ".pt", ".bin")


def weights_in(folder: Path, network: NetworkTable) -> Path:
    """The file of a network's weights: NAME.ENDING, or else one NAME-... or NAME_....ENDING.

    So files may keep the names that libraries gave them, such as resnet50-11ad3fa6.pth.

    Raises WeightsError where there is none, or more than one.
    """
    name = network.name
    if not folder.is_dir():
        raise WeightsError(f"{folder} is no folder; expected one with a file for each network")
    files = sorted(path for path in folder.iterdir() if path.suffix in ENDINGS)
    exact = [path for path in files if path.stem == name]
    found = exact or [path for path in files if path.name.startswith((f"{name}-", f"{name}_"))]
    if len(found) == 1:
        return found[0]
    expected = f"expected {name}.safetensors, or {name}.pth"
    if found:
        names = ", ".join(path.name for path in found)
        raise WeightsError(f"{folder} holds {names} for network {name!r}; {expected}, one of them")
    raise WeightsError(
        f"{folder} holds no weights of network {name!r} ({network.model}); {expected}"
        f"{origin_of(network.model)}"
    )
