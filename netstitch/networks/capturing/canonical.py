"""Exported operations in the one form that graphs use.

Synonyms have one name; batch norm has one output; new tensors are made on the input's device.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch._ops import OpOverload

from netstitch.networks.graph import Argument, Enumerated, Ref, references
from netstitch.networks.operations import KINDS

BATCH_NORM = "aten._native_batch_norm_legit_no_training.default"
_RENAMED = {
    "aten.view.default": "aten.reshape.default",
    "aten._unsafe_view.default": "aten.reshape.default",
    "aten.concat.default": "aten.cat.default",
    "aten.clip.default": "aten.clamp.default",
    "aten.multiply.Tensor": "aten.mul.Tensor",
    "aten.subtract.Tensor": "aten.sub.Tensor",
    "aten.divide.Tensor": "aten.div.Tensor",
    "aten.true_divide.Tensor": "aten.div.Tensor",
}
_DROPOUTS = {
    f"aten.{name}.default"
    for name in ("dropout", "native_dropout", "feature_dropout", "alpha_dropout")
} | {"aten.feature_alpha_dropout.default"}
# Tensors that are made, and what fills them; the value is an argument where it stands as None.
_MADE: dict[str, float | None] = {
    "full": None,
    "full_like": None,
    "new_full": None,
    "zeros": 0.0,
    "zeros_like": 0.0,
    "new_zeros": 0.0,
    "ones": 1.0,
    "ones_like": 1.0,
    "new_ones": 1.0,
}


@dataclass(frozen=True)
class OperatorCall:
    """A call of an operation, and the fake tensor that it gives, or a tuple of them."""

    operation: str
    args: tuple[Argument, ...]
    kwargs: dict[str, Argument]
    value: Any

    @property
    def read(self) -> list[str]:
        """Names of the nodes that it reads."""
        return list(references((self.args, *self.kwargs.values())))


def canonical(
    call: OperatorCall, input_name: str, count: Callable[[int | torch.SymInt], int | Ref]
) -> OperatorCall:
    """Return the same call in the form that graphs use; `count` gives a size of a fake tensor."""
    name, args, value = call.operation, call.args, call.value
    short = name.split(".")[1] if name.startswith("aten.") else ""
    if name == BATCH_NORM:
        image, weight, bias, mean, variance, momentum, epsilon = args
        args = (image, weight, bias, mean, variance, False, momentum, epsilon, True)
        return OperatorCall("aten.batch_norm.default", args, {}, value[0])
    if name in _DROPOUTS:
        return OperatorCall("aten.alias.default", args[:1], {}, value)
    if short in _MADE:
        # Made on the input's device, whichever that is, and never from another tensor's content,
        # of which the shape alone would matter.
        fill = _MADE[short]
        filled: Argument = fill if fill is not None else call.kwargs.get("fill_value", args[-1])
        shape = tuple(count(size) for size in value.shape)
        made = (Ref(input_name), shape, filled)
        return OperatorCall("aten.new_full.default", made, _dtype(value), value)
    if name == "aten.type_as.default":
        return OperatorCall("aten._to_copy.default", args[:1], _dtype(value), value)
    if name == "aten.expand_as.default":
        sizes = tuple(count(size) for size in value.shape)
        return OperatorCall("aten.expand.default", (args[0], sizes), {}, value)
    return OperatorCall(_RENAMED.get(name, name), args, call.kwargs, value)


def is_random(node: fx.Node, name: str) -> bool:
    """Return whether an operation draws random numbers with the arguments it has."""
    if name in _DROPOUTS:
        _, share, training = node.args[:3]
        return bool(training is not False and share != 0)
    if name == "aten.scaled_dot_product_attention.default":
        share = node.args[4] if len(node.args) > 4 else node.kwargs.get("dropout_p", 0)
        return bool(share != 0)
    return (
        name not in KINDS
        and isinstance(node.target, OpOverload)
        and torch.Tag.nondeterministic_seeded in node.target.tags
    )


def _dtype(value: Tensor) -> dict[str, Argument]:
    return {"dtype": Enumerated("dtype", str(value.dtype).removeprefix("torch."))}
