"""Any PyTorch module becomes a Network: exported, made functional, checked against the model."""

from contextlib import redirect_stderr
from io import StringIO
from typing import Literal

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from netstitch.errors import CaptureError
from netstitch.networks.capturing.capturable import (
    batch_second,
    check_example,
    check_model,
    check_parts,
)
from netstitch.networks.capturing.diagnostics import batch_line, explain, fixes_batch, squeeze_line
from netstitch.networks.capturing.exportable import (
    ExportableModel,
    copied,
    unwrapped,
    with_plain_weights,
)
from netstitch.networks.capturing.lowering import translate
from netstitch.networks.capturing.verification import computes_other_lengths, verify
from netstitch.networks.inputs import with_free_length
from netstitch.networks.network import Network
from netstitch.networks.probabilities import check_logarithm, take_logarithm, takes_logarithm
from netstitch.text import unbroken
from netstitch.threads import quiet

Puts = Literal["logits", "probabilities"]
"""The outputs of a model."""


def capture(
    model: nn.Module,
    example: Tensor | None = None,
    *,
    name: str | None = None,
    outputs: Puts = "logits",
) -> Network:
    """Capture a model as a Network that computes the same.

    The model is neither changed nor kept; evaluation behaviour and float32 are captured. What it
    computes of its weights alone, as parametrizations do, is computed once and becomes a weight.

    Args:
        model: any module of one float tensor that returns a tensor or a dictionary of tensors.
        example: an input batch (n, ...), always needed; only the sizes behind dimension 0 matter.
        name: what reports call the network; by default the model's class.
        outputs: what the model puts out. Of "probabilities", as behind a softmax, the network puts
            out the logarithm, which are logits; probabilities under 1e-30 count as 1e-30.

    Raises:
        CaptureError: where the model cannot be exported with a free batch size (naming the
            operation and the source line) or uses an operation that is not listed, where the
            capture's outputs differ from the model's at a batch size that capture did not see, and
            for "probabilities" that are none.
    """
    check_model(model)
    model = unwrapped(model)
    title = unbroken(name or type(model).__name__)
    try:
        return _captured(title, model, example, outputs)
    except CaptureError as error:
        raise CaptureError(f"{title}: {error}") from error
    except Exception as error:  # torch.export raises many kinds, user code any
        raise CaptureError(f"{title}: {explain(error)}") from error


def _captured(title: str, model: nn.Module, example: Tensor | None, outputs: Puts) -> Network:
    check_parts(model)
    example = check_example(model, example)
    frozen = _freeze(model)
    if outputs == "probabilities":
        take_logarithm(frozen)
    elif outputs != "logits":
        raise CaptureError(f"outputs {outputs!r} are not known; give 'logits' or 'probabilities'")
    # The exporter prints the graph that it fails at, beside the error that it raises.
    with quiet(), redirect_stderr(StringIO()), torch.no_grad():
        program = _export(with_plain_weights(frozen), example)
        graph, weights = translate(program)
        network = Network(title, graph, weights)
        squeezed, transposed = squeeze_line(program), batch_second(frozen)
        verify(frozen, network, example, squeezed=squeezed, transposed=transposed)
        if computes_other_lengths(frozen, network, example):
            network = Network(title, with_free_length(graph), weights)
        if takes_logarithm(frozen):
            check_logarithm(network)
    return network


def _freeze(model: nn.Module) -> nn.Module:
    """Return a frozen copy, since tracing one instance twice fails for some models."""
    try:
        return copied(model).eval().float().requires_grad_(False)
    except Exception as error:  # modules copy themselves in their own ways
        reason = str(error).strip().partition("\n")[0].partition(". ")[0]
        raise CaptureError(
            f"it cannot be copied and frozen ({reason}); expected a module of plain parameters and "
            "buffers: detach tensors that it keeps, and remove what cannot be copied"
        ) from error


def _export(model: nn.Module, example: Tensor) -> ExportedProgram:
    whole, batch = ExportableModel(model), torch.export.Dim("batch")

    def run() -> ExportedProgram:
        program = torch.export.export(whole, (example,), dynamic_shapes=({0: batch},))
        functional: ExportedProgram = program.run_decompositions({})
        return functional

    try:
        return run()
    except Exception as error:
        fixed = fixes_batch(error)
        line, hint = (batch_line(run), batch_second(model)) if fixed else (None, None)
        raise CaptureError(explain(error, line, hint)) from error
