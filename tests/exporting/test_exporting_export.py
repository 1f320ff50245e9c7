import copy
import errno
import json
from pathlib import Path

import onnxruntime
import pytest
import torch
from exit_examples import exit_outputs, random_weights, segmenters
from exporting_examples import TwoHeads, demo, small
from torch import nn

from netstitch.errors import ExportError, FittingError, StitchingError, StorageError
from netstitch.exporting import export
from netstitch.exporting import formats as module
from netstitch.exporting.json_format import load_subnetwork
from netstitch.exporting.subnetwork import take_subnetwork
from netstitch.fitting import recalibrated, stitched_norms
from netstitch.fitting.recalibration import BATCH_NORM
from netstitch.networks.module import build_module
from netstitch.stitching.exit import Exit
from netstitch.supernet.supernet import Supernet


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return small()


@pytest.fixture(scope="module")
def joined() -> Supernet:
    return demo()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "exported"


def run_onnx(path: Path, inputs: torch.Tensor) -> list[torch.Tensor]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return [torch.from_numpy(value) for value in session.run(None, {given.name: inputs.numpy()})]


def test_stitches_that_were_never_fitted_are_not_exported(supernet, folder):
    unfitted = Supernet(list(supernet.networks), supernet.matching)
    with pytest.raises(StitchingError, match="the stitches were never fitted"):
        export(unfitted, unfitted.genotype("ensemble", [0]), folder)
    assert not folder.exists()
    export(unfitted, unfitted.genotype("ensemble"), folder, formats=["json"])


@pytest.mark.parametrize("kind", ["classes", "maps"])
def test_an_exit_is_exported_in_all_formats(folder, kind):
    exported = demo() if kind == "classes" else segmenters()
    points = [node.name for node in exported.graphs[0].points]
    one = Exit(0, tuple(points[2:9:3]) if kind == "classes" else (points[2],))
    exported.set_exits([one], random_weights(exported, [one]))
    made = export(exported, one, folder)
    inputs = torch.rand(9, *exported.graphs[0].input.shape[1:])
    [expected] = exit_outputs(exported, inputs)
    [found] = run_onnx(folder / "model.onnx", inputs)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    module = load_subnetwork(folder)
    again = module(inputs)
    assert torch.equal(again["out"] if kind == "maps" else again, expected)
    name = exported.names[0]
    assert made.card["exit"] == {"network": name, "points": list(one.points)}
    assert (made.card["output"], made.card["multiply_adds"]) == (name, exported.macs(one))
    assert "genotype" not in made.card
    assert {file.format for file in made.files} == {"json", "pt2", "onnx"}


@pytest.mark.parametrize(
    "output, stitches", [("b", [1, 3]), ("ensemble", [0, 5])], ids=["stitched", "ensemble"]
)
def test_all_files_compute_the_subnetwork(joined, folder, output, stitches):
    genotype = joined.genotype(output, stitches)
    export(joined, genotype, folder, card={})
    inputs = torch.rand(9, 1, 28, 28)
    with torch.no_grad():
        expected = joined(inputs, genotype)
        from_json = load_subnetwork(folder)(inputs)
        from_pt2 = torch.export.load(folder / "model.pt2").module()(inputs)
    (from_onnx,) = run_onnx(folder / "model.onnx", inputs)
    for found in (from_json, from_pt2, from_onnx):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_dictionary_outputs(folder):
    supernet = small(TwoHeads)
    genotype = supernet.genotype("ensemble", [0])
    export(supernet, genotype, folder, card={})
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    assert [value.name for value in session.get_outputs()] == ["relu", "input"]
    assert session.get_inputs()[0].name == "input_"
    inputs = torch.rand(4, 5)
    expected = supernet(inputs, genotype)
    relu, second = run_onnx(folder / "model.onnx", inputs)
    torch.testing.assert_close(relu, expected["relu"].detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(second, expected["input"].detach(), rtol=1e-4, atol=1e-5)
    assert list(torch.export.load(folder / "model.pt2").module()(inputs)) == ["relu", "input"]


def test_export_json_says_what_was_exported(supernet, folder):
    genotype = supernet.genotype("net7", [0])
    card = {"accuracy": {"validation": 0.9, "test": 0.89}}
    found = export(supernet, genotype, folder, card=card)
    document = json.loads((folder / "export.json").read_text())
    assert document["card"] == {
        "accuracy": {"validation": 0.9, "test": 0.89},
        "genotype": genotype.tolist(),
        "output": "net7",
        "networks": ["net7", "net8"],
        "multiply_adds": supernet.macs(genotype),
        "parameters": supernet.parameters_of(genotype),
    }
    assert found.card == document["card"]
    assert document["input"] == {"shape": ["batch", 5], "dtype": "float32"}
    assert document["files"]["onnx"]["opset"] == 18
    assert document["check"]["batch_sizes"] == [5, 1]
    for file in found.files:
        row = document["files"][file.format]
        assert file.bytes == row["bytes"] == sum((folder / f).stat().st_size for f in row["files"])
        assert 0 <= row["largest_difference"]["relative"] < 1e-4
    written = [name for row in document["files"].values() for name in row["files"]]
    assert {path.name for path in folder.iterdir()} == {*written, "export.json"}


def test_usage_lines_run(supernet, folder):
    import netstitch

    genotype = supernet.genotype("net8")
    inputs = torch.rand(3, 5)
    expected = supernet(inputs, genotype).detach()
    for file in export(supernet, genotype, folder, card={}).files:
        opening, _, running = file.usage.partition("; ")
        names = {"netstitch": netstitch, "torch": torch, "onnxruntime": onnxruntime}
        names["inputs"] = inputs
        exec(f"{opening}; found = {running}", names)
        found = names["found"]
        found = torch.as_tensor(found[0]) if file.format == "onnx" else found.detach()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_formats_chosen_are_written_alone(supernet, folder):
    steps = []
    export(
        supernet,
        supernet.genotype("net7"),
        folder,
        card={},
        formats=["json"],
        progress=lambda *step: steps.append(step),
    )
    assert {path.name for path in folder.iterdir()} == {
        "subnetwork.json",
        "weights.safetensors",
        "export.json",
    }
    assert [(done, total) for done, total, _ in steps] == [(0, 1), (1, 1)]


def test_memory_layout_of_this_machine_is_not_exported(joined):
    supernet = copy.deepcopy(joined).to(memory_format=torch.channels_last)
    genotype = supernet.genotype("b", [1])
    _, weights = supernet.subnetwork_graph(genotype)
    assert not all(tensor.is_contiguous() for tensor in weights.values())
    subnetwork = take_subnetwork(supernet, genotype)
    assert all(tensor.is_contiguous() for tensor in subnetwork.weights.values())


def test_values_of_the_example_are_not_in_the_files(supernet, folder):
    secret = torch.full((2, 5), 0.123456) + torch.arange(10).view(2, 5) / 1000
    export(supernet, supernet.genotype("net7"), folder, card={}, example=secret)
    (sample,), _ = torch.export.load(folder / "model.pt2").example_inputs
    assert not torch.isin(sample, secret).any()


def test_export_prints_nothing(supernet, folder, capfd, recwarn):
    export(supernet, supernet.genotype("net7"), folder, card={})
    assert capfd.readouterr() == ("", "")
    assert len(recwarn) == 0


# -- what goes wrong


def assert_nothing_written(folder: Path) -> None:
    assert list(folder.parent.iterdir()) == []


class Halved(torch.nn.Module):
    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x) / 2


def test_pt2_that_computes_something_else(supernet, folder, monkeypatch):
    save = torch.export.save

    def wrong(program, file):
        batch = {0: torch.export.Dim("batch")}
        halved = Halved(program.module())
        save(torch.export.export(halved, (torch.zeros(2, 5),), dynamic_shapes=(batch,)), file)

    monkeypatch.setattr(torch.export, "save", wrong)
    with pytest.raises(ExportError, match=r"^model\.pt2 differs from the subnetwork by [\d.]+ at"):
        export(supernet, supernet.genotype("net7"), folder, card={})
    assert_nothing_written(folder)


def test_onnx_that_computes_something_else(supernet, folder, monkeypatch):
    original = torch.onnx.export

    def wrong(program, *args, **settings):
        made = original(program, *args, **settings)
        bias = made.model.graph.initializers["net7.body.2.bias"]
        bias.const_value = type(bias.const_value)(torch.ones(3))
        return made

    monkeypatch.setattr(torch.onnx, "export", wrong)
    with pytest.raises(ExportError, match=r"^model\.onnx differs from the subnetwork by"):
        export(supernet, supernet.genotype("net7"), folder, card={}, formats=["json", "onnx"])
    assert_nothing_written(folder)


def test_json_that_computes_something_else(supernet, folder, monkeypatch):
    write = module.write_subnetwork

    def wrong(folder, graph, weights, card):
        write(folder, graph, {key: value * 2 for key, value in weights.items()}, card)

    monkeypatch.setattr(module, "write_subnetwork", wrong)
    with pytest.raises(ExportError, match=r"^subnetwork\.json differs from the subnetwork by"):
        export(supernet, supernet.genotype("net7"), folder, card={})
    assert_nothing_written(folder)


def test_exporter_that_fails(supernet, folder, monkeypatch):
    def fails(*args, **settings):
        raise RuntimeError("\nno translation for aten.frobnicate\nlong report follows")

    monkeypatch.setattr(torch.onnx, "export", fails)
    with pytest.raises(ExportError) as error:
        export(supernet, supernet.genotype("net7"), folder, card={})
    assert str(error.value).startswith(
        "model.onnx cannot be made (RuntimeError: no translation for aten.frobnicate); nothing"
    )
    assert "\n" not in str(error.value)
    assert_nothing_written(folder)


@pytest.mark.parametrize("form", ["json", "pt2", "onnx"])
def test_no_space_left(supernet, folder, monkeypatch, form):
    def full(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="no space left on device"):
        export(supernet, supernet.genotype("net7"), folder, card={}, formats=[form])
    assert_nothing_written(folder)


def test_interrupted(supernet, folder):
    def interrupt(done, total, text):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(supernet, supernet.genotype("net7"), folder, card={}, progress=interrupt)
    assert_nothing_written(folder)


def test_folder_that_is_not_empty(supernet, folder):
    folder.mkdir()
    (folder / "mine.txt").write_text("keep")
    with pytest.raises(StorageError, match="exists and is not empty"):
        export(supernet, supernet.genotype("net7"), folder, card={})
    assert [path.name for path in folder.parent.rglob("*")] == ["exported", "mine.txt"]


@pytest.mark.parametrize("card", [{"accuracy": float("nan")}, {"accuracy": torch.zeros(2)}])
def test_card_that_is_not_json(supernet, folder, card):
    with pytest.raises(ExportError, match="the card cannot be written as JSON"):
        export(supernet, supernet.genotype("net7"), folder, card=card)
    assert_nothing_written(folder)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"formats": 3}, ExportError, "formats is 3; expected a list"),
        ({"formats": [["json"]]}, ExportError, "is not known; choose from"),
        ({"example": [1.0]}, ExportError, "the example is a list; expected a tensor"),
        ({"card": ["best"]}, ExportError, "the card is a list; give a dictionary"),
        ({"folder": None}, StorageError, "the folder is None .*; give a path"),
        ({"supernet": nn.Linear(5, 3)}, ExportError, "export takes a supernet, got a Linear"),
        ({"recalibrate": 3}, FittingError, "the batches are a int"),
    ],
)
def test_arguments_of_another_kind(supernet, folder, arguments, error, message):
    given = {"supernet": supernet, "genotype": supernet.genotype("net7"), "folder": folder}
    with pytest.raises(error, match=message):
        export(**{**given, **arguments})
    assert_nothing_written(folder)


def test_colours_that_an_exporter_gives_a_terminal_are_left_out(supernet, folder, monkeypatch):
    def fails(*args, **settings):
        raise RuntimeError("\x1b[96mstep 3/3\x1b[0m failed")

    monkeypatch.setattr(torch.onnx, "export", fails)
    with pytest.raises(ExportError, match=r"\(RuntimeError: step 3/3 failed\)"):
        export(supernet, supernet.genotype("net7"), folder)


def test_genotype_of_another_supernet(supernet, folder):
    with pytest.raises(StitchingError):
        export(supernet, [0, 0], folder, card={})
    assert_nothing_written(folder)


@pytest.mark.parametrize("fold", [False, True])
def test_recalibrated_statistics_are_in_the_files(joined, folder, fold):
    genotype = joined.genotype("ensemble", [0, 3])
    before = {key: tensor.clone() for key, tensor in joined.tensors().items()}
    batches = list(torch.rand(96, 1, 28, 28).split(32))
    formats = ["json", "onnx"] if fold else ["json"]
    found = export(joined, genotype, folder, formats=formats, recalibrate=batches, fold=fold)
    graph, weights = joined.subnetwork_graph(genotype)
    assert found.card["batch_norms_recalibrated"] == len(stitched_norms(graph)) > 0
    assert all(torch.equal(tensor, before[key]) for key, tensor in joined.tensors().items())
    expected = build_module(graph, recalibrated(graph, weights, batches))
    inputs = torch.rand(9, 1, 28, 28)
    with torch.no_grad():
        wanted, kept = expected(inputs), joined(inputs, genotype)
        files = [load_subnetwork(folder)(inputs)]
    if fold:
        files += run_onnx(folder / "model.onnx", inputs)
    for values in files:
        torch.testing.assert_close(values, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))
    assert (kept - wanted).abs().max() > 1e-3 * wanted.abs().max()


def test_folded_norms_are_gone_and_the_network_is_the_same(joined, folder):
    genotype = joined.genotype("b", [1])
    graph, _ = joined.subnetwork_graph(genotype)
    count = sum(node.operation == BATCH_NORM for node in graph.nodes)
    found = export(joined, genotype, folder, formats=["json"], fold=True)
    assert 0 < found.card["batch_norms_folded"] <= count
    left = (folder / "subnetwork.json").read_text().count(BATCH_NORM)
    assert left == count - found.card["batch_norms_folded"]
    assert found.files[0].difference.relative < 1e-4
    inputs = torch.rand(3, 1, 28, 28)
    with torch.no_grad():
        wanted = joined(inputs, genotype)
        torch.testing.assert_close(load_subnetwork(folder)(inputs), wanted, rtol=1e-4, atol=1e-5)


def test_a_subnetwork_without_batch_norms_says_so(supernet, folder):
    genotype = supernet.genotype("net7", [0])
    inputs = [torch.rand(4, 5)]
    found = export(supernet, genotype, folder, formats=["json"], recalibrate=inputs)
    assert found.card["batch_norms_recalibrated"] == 0


def test_inputs_that_norms_cannot_be_measured_on_leave_nothing(joined, folder):
    for genotype in (joined.genotype("a", [i]) for i in range(6)):
        if stitched_norms(joined.subnetwork_graph(genotype)[0]):
            with pytest.raises(FittingError, match="batch 1 has shape"):
                export(joined, genotype, folder, recalibrate=[torch.rand(4, 1, 9, 9)])
    assert not folder.exists()
