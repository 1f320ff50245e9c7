"""What restricted reading makes of the objects beside the weights of a checkpoint.

Trainers keep their settings and figures beside the weights: `args` of argparse, a best accuracy
of NumPy's, a configuration. Torch's restricted reader refuses a file for these. For classes that
are known to be only that, it is given an empty class of this module under their names: nothing of
the named library is imported, called or filled with what the file says, and nothing is kept. All
other names stay refused.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch

NAMES = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    "builtins.dict",  # as what a defaultdict or a configuration is typed with
    "builtins.list",
    "builtins.int",
    "builtins.float",
    "builtins.str",
    "builtins.bool",
    "datetime.date",
    "datetime.datetime",
    "datetime.timedelta",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.dtype",
    "numpy.ndarray",
    "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata",
    "omegaconf.dictconfig.DictConfig",
    "omegaconf.listconfig.ListConfig",
    "omegaconf.nodes.AnyNode",
    "omegaconf.nodes.BooleanNode",
    "omegaconf.nodes.FloatNode",
    "omegaconf.nodes.IntegerNode",
    "omegaconf.nodes.StringNode",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath",
    "pathlib.WindowsPath",
    "pathlib._local.PosixPath",
    "pathlib._local.WindowsPath",
    "torch.torch_version.TorchVersion",
    "typing.Any",
)
DICTIONARIES = (
    "collections.defaultdict",
    "easydict.EasyDict",
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "yacs.config.CfgNode",
)
"""Kinds of dict, which the reader fills; they become plain ones, as weights may lie below."""


Allowed = tuple[Callable[..., Any], str]


class StandIn:
    """An object that was not built."""

    stands_for = ""

    def __new__(cls, *arguments: Any) -> "StandIn":
        """Take any arguments, and keep none."""
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        """Take any state, and keep none."""


class _Dictionary:
    def __new__(cls, *arguments: Any) -> Any:
        # The reader fills this one kind without asking its class for anything.
        return OrderedDict()


def _named(kind: type, name: str) -> Allowed:
    stands_for = "numpy.ndarray" if name.endswith("_reconstruct") else name
    return type(kind.__name__, (kind,), {"stands_for": stands_for}), name


STAND_INS: list[Callable[..., Any] | Allowed] = [_named(StandIn, name) for name in NAMES]
STAND_INS += [_named(_Dictionary, name) for name in DICTIONARIES]


def with_stand_ins() -> torch.serialization.safe_globals:
    """Return a context in which `torch.load(..., weights_only=True)` makes stand-ins."""
    return torch.serialization.safe_globals(STAND_INS)
