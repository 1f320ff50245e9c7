"""The table of stitches says where each lies, and how well it translates."""

import csv
import io

import pytest
from small_supernets import random_task, small_supernet

from netstitch.errors import FittingError
from netstitch.networks.counting import share_before
from netstitch.networks.graph import Graph, Node, Ref
from netstitch.supernet.stitch_table import HEADER, stitch_table


def test_a_depth_is_the_share_of_work_that_a_node_depends_on() -> None:
    nodes = (
        Node("input", "input"),
        Node("a", "op", (Ref("input"),), multiply_adds=6),
        Node("b", "op", (Ref("a"),), elementwise=9),
        Node("c", "op", (Ref("input"),), multiply_adds=4),
        Node("d", "op", (Ref("b"), Ref("c")), multiply_adds=10),
    )
    graph = Graph(nodes, ((None, "d"),))
    depths = {node.name: share_before(graph, node.name) for node in nodes}
    assert depths == {"input": 0.0, "a": 0.3, "b": 0.3, "c": 0.2, "d": 1.0}


def test_each_stitch_has_a_row() -> None:
    supernet, task = small_supernet(), random_task()
    with pytest.raises(FittingError, match="call fit first"):
        stitch_table(supernet)
    supernet.fit(task.training.batches(16))
    rows = list(csv.DictReader(io.StringIO(stitch_table(supernet))))
    assert tuple(rows[0]) == HEADER
    assert len(rows) == len(supernet.stitches)
    for row, stitch in zip(rows, supernet.stitches, strict=True):
        assert row["source"] == supernet.names[stitch.source.network]
        assert row["target_point"] == stitch.target.point
        assert 0 <= float(row["source_depth"]) <= 1
    errors = [float(row["relative_error"]) for row in rows if row["relative_error"]]
    assert errors
    assert min(errors) >= 0
    own = [float(row["source_depth"]) for row in rows if row["source"] == "wide"]
    assert own == sorted(own)
