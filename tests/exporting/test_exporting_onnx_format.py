import subprocess
import sys

import onnx
import torch
from exporting_examples import TwoHeads, small

from netstitch.exporting import export, onnx_format


def test_the_batch_is_free_and_named(tmp_path):
    supernet = small()
    export(supernet, supernet.genotype(), tmp_path / "e", card={}, formats=["onnx"])
    model = onnx.load(tmp_path / "e" / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    sizes = [
        [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    ]
    assert sizes == [["batch", 5], ["batch", 3]]
    assert [opset.version for opset in model.opset_import if not opset.domain] == [18]


def test_names_of_outputs_and_inner_values_do_not_collide(tmp_path):
    supernet = small(TwoHeads)
    export(supernet, supernet.genotype("net7"), tmp_path / "e", card={}, formats=["onnx"])
    model = onnx.load(tmp_path / "e" / "model.onnx")
    made = [name for node in model.graph.node for name in node.output]
    assert len(set(made)) == len(made)
    assert {"relu", "input"} <= set(made)


def test_weights_too_large_for_one_file_stand_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_format, "SINGLE_FILE_LIMIT", 1)
    supernet = small(features=(100, 200))
    found = export(supernet, supernet.genotype(), tmp_path / "e", card={}, formats=["onnx"])
    beside = tmp_path / "e" / "model.onnx.data"
    assert beside.stat().st_size > 0
    assert found.files[0].bytes == beside.stat().st_size + found.files[0].path.stat().st_size
    (tmp_path / "e").rename(tmp_path / "moved")  # the file names its neighbour, not its folder
    onnx.load(tmp_path / "moved" / "model.onnx")


def test_outputs_stand_in_the_order_of_the_trace():
    class Heads(torch.nn.Module):
        def forward(self, x):
            return {"b": x + 1, "a": x + 2}

    program = torch.export.export(Heads(), (torch.zeros(2, 3),))
    outputs = program.module()(torch.zeros(2, 3))
    names = onnx_format.output_names(program, ["b", "a"])
    leaves = torch.utils._pytree.tree_leaves(outputs)
    assert [leaves[names.index(key)][0, 0].item() for key in ("b", "a")] == [1, 2]


def test_onnx_is_not_imported_before_it_is_needed():
    code = "import sys, netstitch.exporting; assert not {'onnx', 'onnxruntime'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
