"""Any PyTorch module becomes a Network: exported, made functional, checked against the model."""

import copy
from contextlib import redirect_stderr
from io import StringIO

import torch
from torch import Tensor, nn

from netstitch.errors import CaptureError
from netstitch.networks.failure import batch_line, explain, fixes_batch
from netstitch.networks.network import Network
from netstitch.networks.translation import translate
from netstitch.networks.verification import verify
from netstitch.networks.wrapping import Whole, check_names, unwrapped
from netstitch.quiet import quiet


def capture(model: nn.Module, example: Tensor, *, name: str | None = None) -> Network:
    """Capture a model as a Network that computes the same.

    model: any module that takes one float tensor and returns a tensor or a dictionary of tensors.
        It is neither changed nor kept; evaluation behaviour and float32 are captured.
    example: an input batch (n, ...); only its sizes behind dimension 0 are fixed by it.
    name: what reports call the network; by default the model's class.

    Raises CaptureError where the model cannot be exported with a free batch size (naming the
    operation and the source line), uses an operation that is not listed, or where the capture's
    outputs differ from the model's at a batch size that was not used in capture.
    """
    model = unwrapped(model) if isinstance(model, nn.Module) else model
    title = " ".join(str(name or type(model).__name__).split())  # errors are one line
    if not isinstance(model, nn.Module):
        raise CaptureError(
            f"capture takes a torch.nn.Module, got {type(model).__name__}: build the model first"
        )
    _check_example(title, example)
    # A copy, since tracing one instance twice fails for some models; sizes 0 and 1 are special.
    check_names(title, model)
    frozen = _freeze(title, model)
    example = example.detach().to(torch.float32).clone()
    if len(example) == 1:
        example = torch.cat([example, example])
    try:
        # The exporter prints the graph that it fails at, beside the error that it raises.
        with quiet(), redirect_stderr(StringIO()), torch.no_grad():
            program = _export(title, frozen, example)
            graph, weights = translate(title, program)
            network = Network(title, graph, weights)
            verify(title, frozen, network, example)
    except CaptureError:
        raise
    except Exception as error:  # torch.export raises many kinds, user code any
        raise CaptureError(explain(title, error)) from error
    return network


def _check_example(title: str, example: Tensor) -> None:
    if not isinstance(example, Tensor):
        raise CaptureError(
            f"{title}: the example is a {type(example).__name__}; "
            "expected one tensor whose dimension 0 is the batch"
        )
    if not example.is_floating_point():
        raise CaptureError(
            f"{title}: the example is {example.dtype}; expected floating-point inputs"
        )
    if example.ndim < 2 or len(example) == 0:
        raise CaptureError(
            f"{title}: the example has shape {tuple(example.shape)}; "
            "expected at least one sample and one further dimension"
        )
    if not torch.isfinite(example).all():
        raise CaptureError(f"{title}: the example holds NaN or infinity; give a finite one")


def _freeze(title: str, model: nn.Module) -> nn.Module:
    try:
        return copy.deepcopy(model).eval().float().requires_grad_(False)
    except Exception as error:  # modules copy themselves in their own ways
        reason = str(error).strip().partition("\n")[0].partition(". ")[0]
        raise CaptureError(
            f"{title} cannot be copied and frozen ({reason}); expected a module of plain parameters"
            " and buffers: run it once if it is lazy, detach tensors it keeps, remove the hooks of "
            "old weight norms"
        ) from error


def _export(title: str, model: nn.Module, example: Tensor) -> torch.export.ExportedProgram:
    whole, batch = Whole(model), torch.export.Dim("batch")

    def run() -> torch.export.ExportedProgram:
        program = torch.export.export(whole, (example,), dynamic_shapes=({0: batch},))
        functional: torch.export.ExportedProgram = program.run_decompositions({})
        return functional

    try:
        return run()
    except Exception as error:
        line = batch_line(run) if fixes_batch(error) else None
        raise CaptureError(explain(title, error, line)) from error
