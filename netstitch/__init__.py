"""netstitch joins trained networks into a supernet and searches what lies between them.

    import netstitch as ns

    a, b = ns.capture(model_a, example), ns.capture(model_b, example)
    s = ns.Supernet([a, b], ns.match(a, b))
    s.fit(train_batches)
    front = ns.search(s, task, budget=2_000)
    net = s.subnetwork(front.pick(max_macs=5e6).subnetwork)

Names are loaded when they are first used, so that `import netstitch` alone is fast.
"""

from importlib import import_module
from pathlib import Path as _Path
from typing import TYPE_CHECKING, Any

from netstitch.version import VERSION

if TYPE_CHECKING:
    from torch import fx

    from netstitch import matching
    from netstitch.analysis import Front
    from netstitch.cascades import find_cascades
    from netstitch.errors import NetstitchError
    from netstitch.exporting import export
    from netstitch.matching import Matching, match
    from netstitch.networks import Network, capture
    from netstitch.searching import search
    from netstitch.supernet import Supernet
    from netstitch.tasks import Classification, Samples, Task
    from netstitch.tuning.tuned_point import finetune

__version__ = VERSION

_HOMES = {
    "Classification": "netstitch.tasks",
    "Front": "netstitch.analysis",
    "Matching": "netstitch.matching",
    "NetstitchError": "netstitch.errors",
    "Network": "netstitch.networks",
    "Samples": "netstitch.tasks",
    "Supernet": "netstitch.supernet",
    "Task": "netstitch.tasks",
    "capture": "netstitch.networks",
    "export": "netstitch.exporting",
    "find_cascades": "netstitch.cascades",
    "finetune": "netstitch.tuning.tuned_point",
    "match": "netstitch.matching",
    "search": "netstitch.searching",
}

__all__ = [
    "Classification",
    "Front",
    "Matching",
    "NetstitchError",
    "Network",
    "Samples",
    "Supernet",
    "Task",
    "__version__",
    "capture",
    "export",
    "find_cascades",
    "finetune",
    "load",
    "match",
    "matching",
    "search",
]


def load(folder: _Path | str) -> "Network | Supernet | fx.GraphModule":
    """Return what `save` or `netstitch export` wrote: a network, a supernet, or a subnetwork.

    Nothing in the folder can run code: graphs are listed operations, weights are safetensors.

    Args:
        folder: one that netstitch wrote; of a run's folder it is the run's supernet.

    Raises:
        StorageError: naming the file, when something is missing or damaged.
    """
    from netstitch.errors import StorageError
    from netstitch.exporting import json_format
    from netstitch.files.folders import as_path
    from netstitch.networks import network_files
    from netstitch.supernet import storage
    from netstitch.supernet.supernet_loading import load_supernet

    folder = as_path(folder)
    if (folder / storage.SUPERNET_FILE).exists():
        return load_supernet(folder)
    if (folder / json_format.SUBNETWORK_FILE).exists():
        return json_format.load_subnetwork(folder)
    if (folder / network_files.GRAPH_FILE).exists():
        return network_files.load_network(folder)
    inside = folder / "supernet"
    if (inside / storage.SUPERNET_FILE).exists():  # the folder of a run
        return load_supernet(inside)
    raise StorageError(
        f"{folder} holds no network, supernet or subnetwork ({network_files.GRAPH_FILE}, "
        f"{storage.SUPERNET_FILE} or {json_format.SUBNETWORK_FILE}); give a folder that netstitch "
        "wrote"
    )


def __getattr__(name: str) -> Any:
    if name == "matching":
        return import_module("netstitch.matching")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'netstitch' has no attribute {name!r}")
