import pytest

from netstitch.matching import compatible
from netstitch.matching.compatibility import candidates
from netstitch.networks.graph import BATCH, INPUT, Graph, Node, Ref


def point(*shape, point=True):
    return Node("x", "aten.relu.default", shape=(BATCH, *shape), point=point)


@pytest.mark.parametrize(
    "a, b, fits",
    [
        (point(8), point(500), True),
        (point(8, 7, 7), point(500, 7, 7), True),
        (point(8, 7, 9), point(8, 9, 7), False),
        (point(8, 7, 7), point(8, 14, 14), False),
        (point(8, 1, 1), point(8), False),
        (point(8, 16), point(8, 16), False),
        (point(8), point(8, point=False), False),
        (point(8, point=False), point(8), False),
        (point(8), Node("x", "aten.sym_size.int", point=True), False),
    ],
)
def test_linear_or_one_by_one_convolution_must_fit(a, b, fits):
    assert compatible(a, b) is fits
    assert compatible(b, a) is fits


def test_outputs_and_what_is_no_point_are_no_candidates():
    shape = (BATCH, 8)
    nodes = (
        Node("x", INPUT, shape=shape),
        Node("hidden", "aten.relu.default", (Ref("x"),), shape=shape, point=True),
        Node("logits", "aten.relu.default", (Ref("hidden"),), shape=shape, point=True),
    )
    graph = Graph(nodes, ((None, "logits"),))
    assert [node.name for node in candidates(graph)] == ["hidden"]
