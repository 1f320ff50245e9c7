"""Models in the form that torch.export takes: plain weights, one input, harmless names.

Models take their input under any name, some through `*args`, and a submodule may have a name that
export's own modules need ("graph", "code"); inside of `ExportableModel` both are harmless.

Weights that are computed of others, by parametrizations or by the hooks of older ones, are computed
once, on a copy. `constants.py` folds what export sees of such arithmetic, but it cannot see all:
hooks (old weight and spectral norms, pruning) set an attribute of the module, which export refuses,
and a parametrization may branch on its weight.
"""

import copy
import re

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.utils._pytree import tree_leaves

_HOOKS = (WeightNorm, SpectralNorm, prune.BasePruningMethod)


class ExportableModel(nn.Module):
    """A model of one input tensor, whatever its forward calls it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> object:
        """Return the model's output."""
        return self.model(x)


def inner_path(path: str) -> str:
    """Return a path inside of `ExportableModel` as the model's author knows it."""
    return path.removeprefix("model").removeprefix(".")


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside of `torch.compile` and data parallelism, which compute the same."""
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif isinstance(getattr(model, "_orig_mod", None), nn.Module):
            model = model._orig_mod  # type: ignore[assignment]
        else:
            return model


def with_plain_weights(model: nn.Module) -> nn.Module:
    """Return the model if its weights are plain, or a copy in which they are.

    The model is in evaluation mode. The copy computes the same, unless weights are drawn by chance.
    """
    if not any(_is_reparametrized(module) for module in model.modules()):
        return model
    made = copied(model)
    with torch.no_grad():
        for module in made.modules():
            _remove_hooks(module)
        for module in made.modules():
            if parametrize.is_parametrized(module):
                computed = module.parametrizations
                assert isinstance(computed, nn.ModuleDict)
                # torch's own way to remove them takes the weight's property from the class, which a
                # copy shares with the user's model, and writes into memory that layers may share.
                for name in list(computed):
                    computed[name] = _Computed(getattr(module, name))
    return made.requires_grad_(False)


def copied(model: nn.Module) -> nn.Module:
    """Return a deep copy of a model, in which tensors that carry gradients are detached.

    Such are the weights that old norms and pruning leave behind, and features that a model keeps;
    torch does not copy them.
    """
    held = [item for module in model.modules() for item in tree_leaves(vars(module))]
    kept = [item for item in held if isinstance(item, Tensor) and not item.is_leaf]
    return copy.deepcopy(model, {id(tensor): tensor.detach().clone() for tensor in kept})


def plain_path(path: str) -> str:
    """Return the path of a weight as its author knows it: "head.weight"."""
    return re.sub(r"\bparametrizations\.(\w+)\.computed$", r"\1", path)


def _is_reparametrized(module: nn.Module) -> bool:
    return parametrize.is_parametrized(module) or any(
        isinstance(hook, _HOOKS) for hook in module._forward_pre_hooks.values()
    )


def _remove_hooks(module: nn.Module) -> None:
    for hook in list(module._forward_pre_hooks.values()):
        if isinstance(hook, WeightNorm):
            remove_weight_norm(module, hook.name)
        elif isinstance(hook, SpectralNorm):
            remove_spectral_norm(module, hook.name)
        elif isinstance(hook, prune.BasePruningMethod):
            prune.remove(module, hook._tensor_name)  # type: ignore[no-untyped-call]


class _Computed(nn.Module):
    """Stands for the parametrizations of one weight, and gives what they gave."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.computed = nn.Parameter(weight.detach().clone(), requires_grad=False)

    def forward(self) -> Tensor:
        return self.computed
