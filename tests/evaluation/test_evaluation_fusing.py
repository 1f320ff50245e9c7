"""The fused form: equal up to rounding, and nothing overwritten that is read again."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from schedule_examples import CLASSES, SIZE, images, random_genotype, random_supernet, seeds
from torch import Tensor, nn

from netstitch.evaluation import Evaluator, NumericsConfig, measure_numerics
from netstitch.evaluation.evaluator import arranged_weights
from netstitch.evaluation.runtime.schedule import ExecutionPlan, Schedule, execute
from netstitch.matching import Match, Matching, match
from netstitch.networks import capture
from netstitch.networks.folding import BATCH_NORM
from netstitch.networks.graph import INPUT, Graph, Node, Ref
from netstitch.networks.in_place import views
from netstitch.networks.interpreter import Interpreter, make_interpreter
from netstitch.networks.operations import name_of
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification, Samples


def operations(plan: ExecutionPlan) -> Counter[str]:
    each = [one for interpreter in plan.interpreters for one in interpreter.instructions]
    return Counter(name_of(instruction.function) for instruction in each)


def random_task(count: int = 11) -> Classification:
    def part(count: int, seed: int, name: str) -> Samples:
        generator = torch.Generator().manual_seed(seed)
        inputs = torch.rand(count, 3, SIZE, SIZE, generator=generator)
        labels = torch.randint(0, CLASSES, (count,), generator=generator)
        return Samples(inputs, labels, name)

    return Classification(
        training=part(9, 1, "training"), validation=part(count, 2, "validation"), classes=CLASSES
    )


@settings(deadline=None, max_examples=150)
@given(seeds, st.sampled_from([2, 3]), st.booleans(), st.lists(seeds, min_size=1, max_size=4))
def test_outputs_are_those_of_the_unfused_form_up_to_rounding(
    seed: int, count: int, channels_last: bool, numbers: list[int]
) -> None:
    supernet = random_supernet(seed, count)
    form = NumericsConfig(channels_last, 3, 1)
    weights = arranged_weights(supernet, form, "cpu")
    before = {path: tensor.clone() for path, tensor in weights.items()}
    plain, fused = (Schedule(supernet, weights, choice) for choice in (False, True))
    batch = form.arrange(images())
    copy = batch.clone()
    genotypes = [random_genotype(supernet, number) for number in numbers]
    plans = plain.plan(genotypes), fused.plan(genotypes)
    for expected, found in zip(*(execute(plan, batch) for plan in plans), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(batch, copy)
    assert all(torch.equal(weights[path], before[path]) for path in before)
    # Of one genotype: together, one may read the value behind a norm that another has in a layer.
    for genotype in genotypes:
        alone = [operations(schedule.plan([genotype])) for schedule in (plain, fused)]
        assert alone[1][BATCH_NORM] <= alone[0][BATCH_NORM]


@settings(deadline=None, max_examples=30)
@given(seeds, st.booleans())
def test_alone_and_together_give_the_same_bits(seed: int, channels_last: bool) -> None:
    supernet = random_supernet(seed)
    task = random_task()
    form = NumericsConfig(channels_last, 4, workers=2, fused=True)
    evaluator = Evaluator(supernet, task, task.validation, form)
    genotypes = [random_genotype(supernet, seed + number) for number in range(12)]
    together = evaluator.outputs_together(genotypes)
    for genotype, expected in zip(genotypes, together, strict=True):
        assert torch.equal(evaluator.outputs(genotype), expected)


class Block(nn.Module):
    """A convolution, a norm, an activation and a head; (b, 3, 4, 4) -> (b, 5)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, CLASSES)
        nn.init.uniform_(self.norm.running_mean, -1, 1)  # type: ignore[arg-type]
        nn.init.uniform_(self.norm.running_var, 0.5, 1.5)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(x)).relu().mean((2, 3)))


@pytest.fixture(scope="module")
def blocks() -> Supernet:
    torch.manual_seed(0)
    a, b = (capture(Block().eval(), images(), name=name) for name in "ab")
    rows = [("conv_conv2d", "conv_conv2d"), ("norm_batch_norm", "norm_batch_norm")]
    points = {point.name for point in a.graph.points}
    assert {name for row in rows for name in row} <= points
    return Supernet([a, b], Matching(tuple(map(Match, rows)), 2, 2, "by hand"))


def test_a_norm_goes_into_the_layer_before_it_unless_a_stitch_reads_between(
    blocks: Supernet,
) -> None:
    schedule = Schedule(blocks, blocks.tensors(), fused=True)
    switch = {(s.place.network, s.place.point): i for i, s in enumerate(blocks.switches)}
    alone = schedule.plan([blocks.genotype("a")])
    assert operations(alone)[BATCH_NORM] == 0
    # The stitch reads a's convolution; it carries b's norm itself, and a's norm is not computed.
    into_b = blocks.genotype("b", [switch[1, "conv_conv2d"]])
    assert operations(schedule.plan([into_b]))[BATCH_NORM] == 0
    # Now a's norm and the stitch both read a's convolution.
    both = blocks.genotype("ensemble", [switch[1, "conv_conv2d"]])
    assert operations(schedule.plan([both]))[BATCH_NORM] == 1
    # Together, each is computed as it is alone.
    batch = images()
    genotypes = [blocks.genotype("a"), both]
    for genotype, together in zip(genotypes, execute(schedule.plan(genotypes), batch), strict=True):
        [alone] = execute(schedule.plan([genotype]), batch)
        assert torch.equal(alone[None], together[None])


ARCHITECTURES = [
    ("mobilenetv3_small_050", "efficientnet_lite0"),
    ("resnet10t", "regnetx_002"),
    ("resnetv2_50", "convnext_atto"),
    ("densenet121", "ghostnet_050"),
    ("vit_tiny_patch16_224", "mixer_s32_224"),
]


@pytest.mark.parametrize(
    "pair",
    ARCHITECTURES[:2] + [pytest.param(pair, marks=pytest.mark.slow) for pair in ARCHITECTURES[2:]],
)
@pytest.mark.parametrize("channels_last", [True, False])
def test_networks_of_many_kinds(pair: tuple[str, str], channels_last: bool) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    size = 224 if "vit" in pair[0] else 64
    inputs = torch.randn(2, 3, size, size)
    networks = []
    for name in pair:
        model = timm.create_model(name, num_classes=CLASSES).eval()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_mean, -0.5, 0.5)  # type: ignore[arg-type]
                nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
        networks.append(capture(model, inputs, name=name))
    supernet = Supernet(networks, match(*networks))
    form = NumericsConfig(channels_last, 2, 1)
    weights = arranged_weights(supernet, form, "cpu")
    plain, fused = (Schedule(supernet, weights, choice) for choice in (False, True))
    batch = form.arrange(inputs)
    random = np.random.default_rng(0)
    genotypes = list(supernet.references().values())
    for share in (0.02, 0.05, 0.1, 0.5):
        genotype = (random.random(len(supernet.cardinalities)) < share).astype(np.int64)
        genotype[-1] = 2
        genotypes.append(genotype)
    with torch.inference_mode():
        for genotype in genotypes:
            plans = plain.plan([genotype]), fused.plan([genotype])
            [one], [other], [again] = (execute(plan, batch) for plan in (*plans, plans[0]))
            torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)
            assert torch.equal(one[None], again[None])


# -- overwriting

SHAPE = ("batch", 2, 3, 3)


def prepared(*rows: tuple[str, str, tuple[Any, ...]], slots: int = 1) -> Interpreter:
    nodes = [Node(f"x{index}", INPUT, shape=SHAPE, dtype="float32") for index in range(slots)]
    nodes += [Node(name, f"aten.{op}", args, {}, SHAPE, "float32") for name, op, args in rows]
    graph = Graph(tuple(nodes), ((None, rows[-1][0]),))
    return make_interpreter(graph, {}, in_place=True)


def value(seed: int = 0) -> Tensor:
    return torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(seed))


def test_what_the_caller_owns_is_overwritten_and_nothing_else() -> None:
    unit = prepared(("y", "relu.default", (Ref("x0"),)))
    given_, copy = value(), value()
    assert torch.equal(unit.run([given_], owned=0)[0], copy.relu())
    assert torch.equal(given_, copy)
    assert unit.run([given_], owned=1)[0] is given_
    assert torch.equal(given_, copy.relu())


def test_a_sum_takes_the_place_of_either_operand() -> None:
    unit = prepared(("y", "add.Tensor", (Ref("x0"), Ref("x1"))), slots=2)
    for owned in (0, 1, 2, 3):
        operands = [value(0), value(1)]
        [result] = unit.run(list(operands), owned)
        assert torch.equal(result, value(0) + value(1))
        assert [result is operand for operand in operands] == [owned & 1 == 1, owned == 2]


def test_a_difference_takes_the_place_of_the_first_operand_alone() -> None:
    unit = prepared(("y", "sub.Tensor", (Ref("x0"), Ref("x1"))), slots=2)
    operands = [value(0), value(1)]
    assert torch.equal(unit.run(list(operands), owned=2)[0], value(0) - value(1))
    assert torch.equal(operands[1], value(1))


def test_another_layout_is_not_overwritten() -> None:
    unit = prepared(("y", "add.Tensor", (Ref("x0"), Ref("x1"))), slots=2)
    other = value(1).to(memory_format=torch.channels_last)
    [result] = unit.run([value(0), other], owned=2)
    assert result is not other
    assert result.stride() == (value(0) + other).stride()


def test_a_value_that_is_read_again_is_not_overwritten() -> None:
    rows = [("y", "relu.default", (Ref("x0"),)), ("z", "add.Tensor", (Ref("y"), Ref("x0")))]
    unit = prepared(*rows)
    assert torch.equal(unit.run([value()], owned=1)[0], value().relu() + value())


@pytest.mark.parametrize("view", ["alias.default", "contiguous.default"])
def test_a_view_keeps_what_it_looks_into(view: str) -> None:
    rows = [
        ("v", view, (Ref("x0"),)),
        ("y", "relu.default", (Ref("x0"),)),
        ("z", "add.Tensor", (Ref("y"), Ref("v"))),
    ]
    assert torch.equal(prepared(*rows).run([value()], owned=1)[0], value().relu() + value())
    rows = [("v", view, (Ref("x0"),)), ("y", "relu.default", (Ref("v"),))]
    given_ = value()
    prepared(*rows).run([given_], owned=0)
    assert torch.equal(given_, value())


def test_views_reach_through_views() -> None:
    nodes = (
        Node("x", INPUT),
        Node("v", "aten.alias.default", (Ref("x"),)),
        Node("w", "aten.view.default", (Ref("v"), (-1,))),
        Node("y", "aten.relu.default", (Ref("w"),)),
    )
    graph = Graph(nodes, ((None, "y"),))
    assert views(graph)["w"] == {"v", "x"}
    assert views(graph)["y"] == set()
    assert views(graph, {"aten.relu.default"})["y"] == {"v", "w", "x"}


# -- the form


def test_fused_is_part_of_the_form_and_off_by_default() -> None:
    stored = {"channels_last": True, "batch": 8, "workers": 1}  # by an earlier version
    assert NumericsConfig(**stored) == NumericsConfig(True, 8, 1, fused=False)
    supernet = random_supernet(1)
    inputs = random_task().validation.inputs
    assert not measure_numerics(supernet, inputs).fused
    assert measure_numerics(supernet, inputs, fused=True).fused
