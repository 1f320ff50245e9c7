"""Stand-ins for the objects beside the weights of a checkpoint, in restricted reading.

Trainers keep their settings and figures beside the weights: `args` of argparse, a best accuracy
of NumPy's, a configuration. Torch's restricted reader refuses a file for these. For classes that
are known to be only that, it is given an empty class of this module under their names: nothing of
the named library is imported, called or filled with what the file says, and nothing is kept. All
other names stay refused.
"""

from collections import OrderedDict
from typing import Any

NAMES = {
    "argparse": "Namespace",
    # What a defaultdict or a configuration is typed with.
    "builtins": "bool dict float int list str",
    "datetime": "date datetime timedelta",
    "numpy": "dtype ndarray",
    "numpy.core.multiarray": "_reconstruct scalar",
    "numpy._core.multiarray": "_reconstruct scalar",
    "omegaconf.base": "ContainerMetadata Metadata",
    "omegaconf.dictconfig": "DictConfig",
    "omegaconf.listconfig": "ListConfig",
    "omegaconf.nodes": "AnyNode BooleanNode FloatNode IntegerNode StringNode",
    "pathlib": "Path PosixPath PurePosixPath PureWindowsPath WindowsPath",
    "pathlib._local": "PosixPath WindowsPath",
    "torch.torch_version": "TorchVersion",
    "types": "SimpleNamespace",
    "typing": "Any",
}
"""Classes that are not built, by module."""
DICTIONARIES = {
    "collections": "defaultdict",
    "easydict": "EasyDict",
    "lightning.fabric.utilities.data": "AttributeDict",
    "lightning_fabric.utilities.data": "AttributeDict",
    "pytorch_lightning.utilities.parsing": "AttributeDict",
    "yacs.config": "CfgNode",
}
"""Kinds of dict, which the reader fills; they become plain ones, as weights may lie below."""


class StandIn:
    """An object that was not built."""

    stands_for = ""

    def __new__(cls, *arguments: object) -> "StandIn":
        """Take any arguments, and keep none."""
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Take any state, and keep none."""


class _Dictionary:
    def __new__(cls, *arguments: object) -> Any:
        # The reader fills this one kind without asking its class for anything.
        return OrderedDict()


def _named(kind: type, classes: dict[str, str]) -> list[Any]:
    """Return pairs of a stand-in and of the name that it has for the reader."""
    paths = [f"{module}.{name}" for module, names in classes.items() for name in names.split()]
    of = {path: "numpy.ndarray" if path.endswith("_reconstruct") else path for path in paths}
    return [(type(kind.__name__, (kind,), {"stands_for": of[path]}), path) for path in paths]


STAND_INS = [*_named(StandIn, NAMES), *_named(_Dictionary, DICTIONARIES)]
"""The kinds that `torch.serialization.safe_globals` takes."""
