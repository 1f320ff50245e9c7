"""A front with cascades and exits that fit its supernet, and what is said where one does not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_supernets import small_supernet

from netstitch.analysis import CascadePoint, Front, FrontPoint
from netstitch.errors import StorageError
from netstitch.records.front_check import check_front
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.stitching.exit import Exit

SUPERNET = small_supernet()
STRUCTURE = SUPERNET.structure
ENSEMBLE = SUPERNET.genotype("ensemble")
EARLY = Exit(0, (STRUCTURE.graphs[0].points[4].name,))


def cascade(first: Exit | tuple[int, ...], worst: float) -> CascadePoint:
    whole = tuple(ENSEMBLE.tolist())
    stages = (CascadeStage(first, 0.5), CascadeStage(whole))
    return CascadePoint("C1", Cascade(stages), 10.0, worst, 0.5, (5.0, 5.0), ("a", "b"))


def an_exit(multiply_adds: int, found: Exit = EARLY) -> FrontPoint:
    genotype = tuple(SUPERNET.genotype("wide").tolist())
    return FrontPoint("P1", genotype, multiply_adds, 0, 0.5, output="wide", exit=found)


def test_what_fits() -> None:
    whole = SUPERNET.macs(ENSEMBLE)
    front = Front((an_exit(1300),), cascades=(cascade(EARLY, whole + 15),))
    check_front(Path("run"), front, STRUCTURE)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        (an_exit(1300, Exit(2, ("relu",))), "P1 reads network 2 of 2"),
        (an_exit(1300, Exit(0, ())), "P1 reads network 0 of 2"),
        (an_exit(1300, Exit(0, ("layer4",))), "P1 reads 'layer4', which is no point of wide"),
        (an_exit(100), "P1 has 100 multiply-adds, and what it computes"),
        (cascade(Exit(-1, ("relu",)), 1e6), r"C1 reads network -1 of 2 \(stage 1\)"),
        (cascade((0, 1), 1e6), "C1 does not fit its"),
        (cascade(EARLY, 100.0), "C1 has 100 multiply-adds, and what it computes"),
    ],
)
def test_what_is_of_another_supernet(point: FrontPoint | CascadePoint, message: str) -> None:
    front = Front((point,)) if isinstance(point, FrontPoint) else Front((), cascades=(point,))
    with pytest.raises(StorageError, match=f"run/front.json is of another supernet: {message}"):
        check_front(Path("run"), front, STRUCTURE)


def test_other_costs_need_more_than_the_structure() -> None:
    genotype = np.array(ENSEMBLE)
    network = FrontPoint(
        *("P1", tuple(genotype.tolist()), SUPERNET.macs(genotype), 0, 0.5),
        parameters=7,
        cost=7.0,
    )
    front = Front((network,), cost_name="parameters", cascades=(cascade(EARLY, 100.0),))
    check_front(Path("run"), front, STRUCTURE)
    wrong = replace(front, points=(replace(network, cost=8.0),))
    with pytest.raises(StorageError, match=r"P1 has 8\.0 parameters, and what it selects 7"):
        check_front(Path("run"), wrong, STRUCTURE)
