"""ONNX files, for every runtime that is not PyTorch; onnxruntime is imported when needed."""

import importlib.util
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils._pytree import tree_unflatten

from netstitch.errors import ExportError
from netstitch.exporting.staged_onnx import staged_model
from netstitch.exporting.subnetwork import OutputsByKey, Subnetwork
from netstitch.files.folders import write_bytes
from netstitch.networks.staged import THRESHOLD, StagedGraph
from netstitch.threads import quiet

if TYPE_CHECKING:
    import onnx

ONNX_FILE = "model.onnx"
OPSET = 18
"""The version that torch's exporter is written in, so that nothing is converted."""

SINGLE_FILE_LIMIT = 2_000_000_000
"""Bytes of weights; protobuf ends at 2 GiB, so larger weights stand in a file beside."""

WITHOUT = 'formats=["json", "pt2"]; on the command line --formats json --formats pt2'
"""The arguments that leave ONNX out."""

PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def check_onnx_installed() -> None:
    """Raise ExportError unless all packages are installed that ONNX takes."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ExportError(
            f"{ONNX_FILE} needs {' and '.join(missing)}, not installed here; "
            f"`pip install {' '.join(missing)}`, or leave the format out"
        )


def input_name(subnetwork: Subnetwork) -> str:
    """Return the ONNX name of the input: "input", or "input_" where an output has that key."""
    return _free("input", set(subnetwork.graph.output_keys))


def _free(name: str, taken: Collection[str | None]) -> str:
    while name in taken:
        name += "_"
    return name


def output_names(program: torch.export.ExportedProgram, keys: Sequence[str | None]) -> list[str]:
    """Return the ONNX names of the outputs in the order of the trace; "output" for a key None."""
    spec = program.call_spec.out_spec
    assert spec is not None
    if list(keys) == [None]:
        return ["output"]
    order = tree_unflatten(list(range(len(keys))), spec)
    return sorted(order, key=order.__getitem__)


def write_onnx(subnetwork: Subnetwork, folder: Path, card: dict[str, object]) -> None:
    """Write the ONNX file of a subnetwork; raise ExportError for an operation that ONNX lacks."""
    graph, start = subnetwork.graph, input_name(subnetwork)
    size = sum(tensor.nbytes for tensor in subnetwork.weights.values())
    if isinstance(graph, StagedGraph):
        name = (start, "output" if graph.key is None else graph.key)
        model = staged_model(graph, subnetwork.weights, subnetwork.example, translated, name)
        _save(model, folder / ONNX_FILE, size)
        return
    program = subnetwork.program
    names = output_names(program, graph.output_keys)
    made = _translated(program, (subnetwork.example,), [start], names)
    if size < SINGLE_FILE_LIMIT:
        write_bytes(folder / ONNX_FILE, made.model_proto.SerializeToString())
    else:
        made.save(folder / ONNX_FILE, external_data=True)


def _save(model: "onnx.ModelProto", path: Path, size: int) -> None:
    """Write a model whose weights have so many bytes."""
    import onnx

    if size < SINGLE_FILE_LIMIT:
        write_bytes(path, model.SerializeToString())
        return
    beside = f"{path.name}.data"
    onnx.save_model(model, str(path), save_as_external_data=True, location=beside)


def translated(
    program: torch.export.ExportedProgram,
    example: tuple[Tensor, ...],
    inputs: list[str],
    outputs: list[str],
) -> "onnx.ModelProto":
    """Return a traced program as a model; raise ExportError for an operation that ONNX lacks."""
    return _translated(program, example, inputs, outputs).model_proto


def _translated(
    program: torch.export.ExportedProgram,
    example: tuple[Tensor, ...],
    inputs: list[str],
    outputs: list[str],
) -> torch.onnx.ONNXProgram:
    """Return the ONNX program of a traced one; raise ExportError for what ONNX lacks."""
    with quiet(), torch.no_grad():
        try:
            made = torch.onnx.export(
                program,
                example,
                dynamo=True,
                input_names=inputs,
                output_names=outputs,
                dynamic_shapes=tuple({0: "batch"} for _ in example),
                opset_version=OPSET,
                verbose=False,
            )
        except Exception as error:  # the exporter raises many kinds
            operation = lacking_operation(error)
            if operation is None:
                raise
            raise ExportError(
                f"{ONNX_FILE} cannot be made: ONNX has no operation for {operation}, which the "
                f"network uses; nothing was written: leave this format out ({WITHOUT}), or replace "
                "the operation in the model"
            ) from error
        assert made is not None
        _rename_inner(made, [*inputs, *outputs])
    return made


def lacking_operation(error: BaseException) -> str | None:
    """Return the operation that the exporter cannot translate; None where it failed otherwise.

    Its message says only in which step it failed; the errors that caused it say why.
    """
    cause: BaseException | None = error
    while cause is not None:
        found = re.search(r"No ONNX function found for <OpOverload\(op='([\w.]+)'", str(cause))
        if found:
            return found.group(1)
        cause = cause.__cause__ or cause.__context__
    return None


def _rename_inner(made: torch.onnx.ONNXProgram, names: list[str]) -> None:
    """Rename inner values that carry an output's name; the exporter leaves such files invalid."""
    graph = made.model.graph
    outer = {id(value) for value in (*graph.inputs, *graph.outputs)}
    inner = [value for node in graph for value in node.outputs if id(value) not in outer]
    taken = {value.name for value in inner} | set(names)
    for value in inner:
        if value.name in names:
            value.name = _free(f"{value.name}_inner", taken)
            taken.add(value.name)


def reopen_onnx(subnetwork: Subnetwork, folder: Path) -> Callable[..., OutputsByKey]:
    """Return a function that runs the ONNX file on a batch, of a cascade with thresholds."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal only: errors are raised as well
    options.intra_op_num_threads = 1  # small batches, see `check`
    session = onnxruntime.InferenceSession(
        str(folder / ONNX_FILE), options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    one = subnetwork.graph.output_keys == (None,)
    (given,) = (value.name for value in session.get_inputs())

    def run(inputs: Tensor, thresholds: Tensor | None = None) -> OutputsByKey:
        other = {} if thresholds is None else {THRESHOLD: thresholds.numpy()}
        values = session.run(names, {given: inputs.numpy(), **other})
        return {
            None if one else name: torch.from_numpy(value)
            for name, value in zip(names, values, strict=True)
        }

    return run
