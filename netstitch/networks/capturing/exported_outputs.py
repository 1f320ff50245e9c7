"""Outputs of an exported program: one tensor, or tensors by key, each with the batch first."""

from collections.abc import Mapping

from torch.export import ExportedProgram
from torch.export.graph_signature import OutputKind
from torch.utils._pytree import tree_unflatten

from netstitch.errors import CaptureError
from netstitch.networks.capturing.exportable import inner_path
from netstitch.networks.graph import BATCH, Node

Output = tuple[str | None, str]
"""A key, None where there is but one tensor, and the name of a node."""


def find_outputs(
    program: ExportedProgram, nodes: Mapping[str, Node], replaced: Mapping[str, str]
) -> tuple[Output, ...]:
    """Return the outputs of a program among the nodes made of it; raise CaptureError for others.

    Each is a tensor with the batch in dimension 0; None and numbers beside tensors in a dictionary
    are left out. `replaced` has names of nodes by those of exported nodes that they stand for.
    """
    specs = program.graph_signature.output_specs
    changed = [spec for spec in specs if spec.kind is not OutputKind.USER_OUTPUT]
    if changed:
        of_input = changed[0].kind is OutputKind.USER_INPUT_MUTATION
        what = "its input" if of_input else repr(inner_path(changed[0].target or ""))
        raise CaptureError(
            f"it changes {what} in evaluation mode; expected a model without side "
            "effects: copy a tensor before changing it in place"
        )
    names = [getattr(spec.arg, "name", None) or None for spec in specs]
    names = [None if name is None else replaced.get(name, name) for name in names]
    spec = program.call_spec.out_spec
    structure: object = tree_unflatten(names, spec) if spec is not None else names[0]
    outputs = {None: structure} if isinstance(structure, str) else structure
    if not isinstance(outputs, dict) or not any(outputs.values()):
        raise CaptureError(
            f"it returns a {type(structure).__name__}; expected a tensor or a dictionary of "
            "tensors: wrap the model in a module that picks its output"
        )
    found: list[Output] = []
    for key, name in outputs.items():
        where = "the output" if outputs is not structure else f"output {key!r}"
        if name is None:
            continue
        if outputs is structure and not isinstance(key, str):
            raise CaptureError(f"an output is called {key!r}; expected strings as keys")
        if not isinstance(name, str):
            raise CaptureError(
                f"{where} is a {type(name).__name__}; expected a tensor: wrap the model in a "
                "module that picks its outputs"
            )
        node = nodes.get(name)
        shape = () if node is None else node.shape or ()
        if shape[:1] != (BATCH,):
            sizes = ", ".join(map(str, shape))
            raise CaptureError(f"{where} has shape ({sizes}); expected the batch in dimension 0")
        found.append((key, name))
    return tuple(found)
