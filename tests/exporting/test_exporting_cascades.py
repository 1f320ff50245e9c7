import json
import warnings
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from cascade_examples import mixed_supernet, one_by_one, split_evenly, stage
from exit_examples import Mixer, joined, segmenters, with_exits
from exporting_examples import demo
from small_supernets import small_supernet, three_networks
from torch import Tensor, nn

import netstitch
from netstitch.errors import ExportError, StitchingError, StorageError
from netstitch.exporting import export
from netstitch.exporting.subnetwork import take_subnetwork
from netstitch.stitching import Cascade, CascadeStage
from netstitch.supernet.supernet import Supernet

SIZES = (1, 2, 7, 64)


def noise(*shape: int) -> Tensor:
    return 2 * torch.randn(64, *shape, generator=torch.Generator().manual_seed(8))


def run_onnx(path: Path, inputs: Tensor, threshold: list[float] | None = None) -> Tensor:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of initializers that can be overridden
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    (other,) = session.get_overridable_initializers()
    values = {given.name: inputs.numpy()}
    if threshold is not None:
        values[other.name] = torch.tensor(threshold).numpy()
    (found,) = session.run(None, values)
    return torch.from_numpy(found)


def assert_files_compute(supernet, cascade, folder: Path, inputs: Tensor, **said):
    """All files answer as one sample at a time does: half, none and all samples go on."""
    export(supernet, cascade, folder, **said)
    key = said.get("output")
    from_json = netstitch.load(folder)
    from_pt2 = torch.export.load(folder / "model.pt2").module()
    (output,) = onnx.load(folder / "model.onnx").graph.output
    assert output.name == (key or "output")

    def one(value):
        return value if key is None else value[key]

    for threshold in (None, 1e-9, 1 - 1e-9):
        chosen, changed = cascade, None
        if threshold is not None:
            stages = (replace(s, threshold=s.threshold and threshold) for s in cascade.stages)
            chosen, changed = Cascade(tuple(stages), cascade.confidence), [threshold] * 2
            changed = changed[: len(cascade.stages) - 1]
            for module in (from_json, from_pt2):
                module.get_buffer("threshold").copy_(torch.tensor(changed))
        expected, left = one_by_one(supernet, chosen, inputs, key)
        assert threshold is not None or len(set(left)) == len(cascade.stages)
        for size in SIZES:
            batch = inputs[:size]
            with torch.no_grad():
                found = [one(from_json(batch)), one(from_pt2(batch))]
            found.append(run_onnx(folder / "model.onnx", batch, changed))
            for each in found:
                torch.testing.assert_close(each, expected[:size], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("names", [("attending", "squeezing"), ("squeezing", "attending")])
def test_norms_attention_and_squeezing(tmp_path, names, capfd):
    supernet, inputs = mixed_supernet(), noise(3, 8, 8)
    stages = stage(supernet, names[0], 0.5, temperatures=(1.5,)), stage(supernet, "ensemble")
    cascade = split_evenly(supernet, Cascade(stages), inputs)
    assert_files_compute(supernet, cascade, tmp_path / "e", inputs)
    assert capfd.readouterr() == ("", "")


def test_three_stages_with_exits(tmp_path):
    supernet, inputs = with_exits(three_networks()), noise(2, 6, 6)
    first = replace(stage(supernet, "net0", 0.5), subnetwork=supernet.exits[1])
    second = stage(supernet, "net1", 0.5, [2])
    last = stage(supernet, "net0+net2", None, [0, 3], answer="mean")
    cascade = split_evenly(supernet, Cascade((first, second, last)), inputs)
    assert_files_compute(supernet, cascade, tmp_path / "e", inputs)


@pytest.mark.parametrize("samples", [1, 7])
def test_a_later_stage_that_is_an_exit_says_nothing_of_no_samples(tmp_path, samples, capfd):
    supernet = with_exits(three_networks())
    (deep,) = (one for one in supernet.exits if len(one.points) == 2)
    early = next(one for one in supernet.exits if one.points == deep.points[:1])
    stages = CascadeStage(early, 1e-9), CascadeStage(deep)
    export(supernet, Cascade(stages), tmp_path / "e")
    modules = [
        supernet.subnetwork(Cascade(stages)),
        netstitch.load(tmp_path / "e"),
        torch.export.load(tmp_path / "e" / "model.pt2").module(),
    ]
    inputs = noise(2, 6, 6)[:samples]
    expected = supernet.subnetwork(early)(inputs)
    capfd.readouterr()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("error")
        found = [module(inputs) for module in modules]
    found.append(run_onnx(tmp_path / "e" / "model.onnx", inputs))
    for one in found:
        torch.testing.assert_close(one, expected, rtol=1e-4, atol=1e-5)
    assert capfd.readouterr() == ("", "")


def test_maps_by_key(tmp_path):
    supernet, inputs = segmenters(), noise(3, 16, 16)
    supernet.set_stitches(supernet.stitch_weights())
    stages = stage(supernet, "wide", 0.5), stage(supernet, "deep", None, [1])
    cascade = split_evenly(supernet, Cascade(stages), inputs)
    assert_files_compute(supernet, cascade, tmp_path / "e", inputs, output="out")


@pytest.mark.parametrize("kind", ["margin", "entropy", "agreement"])
def test_confidences_and_probabilities(tmp_path, kind):
    torch.manual_seed(3)
    models = [Mixer(4, nn.Softmax(1)), Mixer(6, nn.Softmax(1))]
    supernet, inputs = joined(models, torch.randn(2, 5, 6)), noise(5, 6)
    supernet.set_stitches(supernet.stitch_weights())
    stages = stage(supernet, "ensemble", 0.5), stage(supernet, "ensemble", None, [0])
    cascade = split_evenly(supernet, Cascade(stages, kind), inputs)
    assert_files_compute(supernet, cascade, tmp_path / "e", inputs)


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return small_supernet()


@pytest.fixture(scope="module")
def cascade(supernet) -> Cascade:
    return Cascade((stage(supernet, "deep", 0.4), stage(supernet, "ensemble", answer="mean")))


def test_onnx_holds_the_decision_and_each_weight_once(tmp_path, supernet, cascade):
    export(supernet, cascade, tmp_path / "e", formats=["onnx"])
    model = onnx.load(tmp_path / "e" / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    (choice,) = (node for node in model.graph.node if node.op_type == "If")
    assert [value.name for value in model.graph.input] == ["input", "threshold"]
    branches = [attribute.g for attribute in choice.attribute]
    initial = [t.name for graph in (model.graph, *branches) for t in graph.initializer]
    assert len(set(initial)) == len(initial)
    weights = {path for path in initial if path.startswith(("wide.", "deep."))}
    assert any(name.startswith("wide.") for graph in branches for name in _initial(graph))
    assert not any(name.startswith("wide.") for name in _initial(model.graph))
    assert len(weights) > 10


def _initial(graph: onnx.GraphProto) -> list[str]:
    return [tensor.name for tensor in graph.initializer]


def test_export_json_says_what_decides(tmp_path, supernet, cascade):
    found = export(supernet, cascade, tmp_path / "e", card={"shares": [0.7, 0.3]}, formats=["json"])
    document = json.loads((tmp_path / "e" / "export.json").read_text())
    card = document["card"]
    assert card == found.card
    assert card["shares"] == [0.7, 0.3]
    assert card["multiply_adds"] == supernet.macs(cascade)
    assert card["parameters"] == supernet.parameters_of(cascade)
    first, second = card["cascade"]["stages"]
    assert (first["output"], second["output"]) == ("deep", "ensemble")
    assert first["threshold"] == 0.4
    assert second["threshold"] is None
    assert second["words"].startswith("adds wide")
    assert first["multiply_adds"] + second["multiply_adds"] == card["multiply_adds"]
    check = document["check"]
    assert check["batch_sizes"] == [1, 2, 5, 7, 64]
    assert check["samples"] == 4 * (1 + 2 + 5 + 7) + 2 * 64
    assert check["close_to_a_threshold"] == {"within": 1e-4, "samples_not_compared": 0}


@pytest.mark.parametrize("share", [1, 2])
def test_samples_that_rounding_decides_are_counted(tmp_path, supernet, cascade, share, monkeypatch):
    from netstitch.exporting import cascade_check

    monkeypatch.setattr(cascade_check, "CLOSE", 1.0 / share)
    export(supernet, cascade, tmp_path / "e", formats=["json"])
    said = json.loads((tmp_path / "e" / "export.json").read_text())["check"]
    apart = said["close_to_a_threshold"]["samples_not_compared"]
    assert 0 < apart <= said["samples"]


def test_a_file_that_decides_otherwise_is_refused(tmp_path, supernet, cascade, monkeypatch):
    from netstitch.exporting import formats

    write = formats.write_subnetwork

    def wrong(folder, graph, weights, card):
        write(folder, graph, {**weights, "threshold": weights["threshold"] + 0.3}, card)

    monkeypatch.setattr(formats, "write_subnetwork", wrong)
    with pytest.raises(ExportError, match=r"^subnetwork\.json differs from the subnetwork by"):
        export(supernet, cascade, tmp_path / "e", formats=["json"])
    assert not (tmp_path / "e").exists()


def test_folded_norms(tmp_path):
    supernet = demo()
    stages = stage(supernet, "b", 0.11), stage(supernet, "ensemble", None, [0])
    found = export(supernet, Cascade(stages), tmp_path / "e", formats=["json"], fold=True)
    norms = take_subnetwork(supernet, Cascade(stages)).batch_norms
    # Layers that two stages use behind other features keep theirs.
    assert norms / 2 < found.card["batch_norms_folded"] < norms
    plain = export(supernet, Cascade(stages), tmp_path / "p", formats=["json"])
    assert found.files[0].bytes < plain.files[0].bytes
    inputs = torch.rand(7, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(
            netstitch.load(tmp_path / "e")(inputs),
            netstitch.load(tmp_path / "p")(inputs),
            rtol=1e-4,
            atol=1e-5,
        )


def test_weights_too_large_for_one_file_stand_beside_it(tmp_path, supernet, cascade, monkeypatch):
    from netstitch.exporting import onnx_format

    monkeypatch.setattr(onnx_format, "SINGLE_FILE_LIMIT", 1)
    (found,) = export(supernet, cascade, tmp_path / "e", formats=["onnx"]).files
    assert found.difference.relative < 1e-4


def test_a_cascade_is_not_recalibrated(tmp_path, supernet, cascade):
    with pytest.raises(StitchingError, match="norms of a cascade are not recalibrated"):
        export(supernet, cascade, tmp_path / "e", recalibrate=[torch.rand(4, 2, 6, 6)])
    assert not (tmp_path / "e").exists()


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda d: d["stages"].pop(), "it has 1 stages; a cascade has two or more"),
        (lambda d: d["stages"][0]["outputs"].pop(1), "stage 1 does not put out an answer and how"),
        (lambda d: d["stages"][0]["outputs"].pop(), "stage 1 does not put out .* of the next"),
        (
            lambda d: d["stages"][1]["outputs"].append(["confidence", _first_input(d)]),
            "stage 2 does not put out an answer and how sure",
        ),
        (
            lambda d: d["stages"][1]["outputs"].__setitem__(0, ["answer", _first_input(d)]),
            "the answers of its stages differ",
        ),
        (lambda d: d.pop("key"), "it does not say 'key'"),
    ],
)
def test_documents_that_are_no_cascade(tmp_path, supernet, cascade, change, message):
    export(supernet, cascade, tmp_path / "e", formats=["json"])
    path = tmp_path / "e" / "subnetwork.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(StorageError, match=message) as caught:
        netstitch.load(tmp_path / "e")
    assert "\n" not in str(caught.value)


def _first_input(document) -> str:
    """The name of the second stage's first input that is no answer."""
    return next(n["name"] for n in document["stages"][1]["nodes"] if n["operation"] == "input")
