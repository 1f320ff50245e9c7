import subprocess
import sys

import onnx
import pytest
import torch
from exporting_examples import TwoHeads, join, small

from netstitch.errors import ExportError
from netstitch.exporting import export, onnx_format
from netstitch.networks import capture


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


class Pooled(torch.nn.Module):
    """Pools 6 positions into 5, which no operation of ONNX does."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, features, 1)
        self.norm = torch.nn.BatchNorm2d(features)
        self.head = torch.nn.Linear(features * 25, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = torch.nn.functional.adaptive_max_pool2d(self.norm(self.conv(x)), 5)
        return self.head(maps.flatten(1))


def test_an_operation_that_onnx_lacks_is_named_with_the_way_out(tmp_path):
    a, b = (capture(Pooled(n), torch.zeros(2, 3, 6, 6), name=f"net{n}") for n in (4, 5))
    supernet = join(a, b, [("norm_batch_norm", "norm_batch_norm")])
    with pytest.raises(ExportError) as caught:
        export(supernet, supernet.genotype(), tmp_path / "e")
    text = str(caught.value)
    assert "ONNX has no operation for aten.adaptive_max_pool2d" in text
    assert "\x1b" not in text
    assert "\n" not in text
    assert 'formats=["json", "pt2"]' in text
    assert not (tmp_path / "e").exists()
    export(supernet, supernet.genotype(), tmp_path / "e", formats=["json", "pt2"])


def test_onnx_is_not_imported_before_it_is_needed():
    code = "import sys, netstitch.exporting; assert not {'onnx', 'onnxruntime'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
