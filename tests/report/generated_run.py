"""A run folder as large as wanted, of a small supernet, with accuracies that are made up."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import moocore
import numpy as np
from small_supernets import small_supernet

from netstitch.analysis import CascadePoint, Front, FrontPoint, make_front
from netstitch.analysis.bootstrap import Interval
from netstitch.analysis.calibration import Calibration
from netstitch.evaluation import Store
from netstitch.evaluation.store_tables import checksum
from netstitch.files.folders import write_json, write_text
from netstitch.records.run_folder import (
    EVALUATIONS,
    FORMAT,
    FRONT_FILE,
    HISTORY_FILE,
    STITCHES,
    SUPERNET,
)
from netstitch.records.unchanged import network_digests, stitches_digest
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.stitching.distinct_tensors import multiply_adds_of
from netstitch.stitching.exit import Exit
from netstitch.supernet.supernet import Supernet

POPULATION = 64


def generate(
    folder: Path,
    evaluations: int,
    *,
    name: str = "generated",
    done: bool = True,
    seed: int = 0,
    swept: Mapping[int, float] | None = None,
    cascades: bool = False,
) -> Supernet:
    """Write the folder; the supernet that is in it.

    swept: population sizes with the hypervolume that each came to; evaluations are shared evenly.
    cascades: the front has some, plain ones, and an exit.
    """
    folder.mkdir()
    supernet = small_supernet()
    supernet.save(folder / SUPERNET)
    rng = np.random.default_rng(seed)
    about = document(name, evaluations, done, swept or {})
    digests = {
        "networks": network_digests(folder, supernet.names),
        "fitted": stitches_digest(folder),
    }
    write_json(folder / "run.json", about | digests)
    genotypes = rng.integers(0, supernet.cardinalities, (evaluations, len(supernet.cardinalities)))
    whole = supernet.macs(supernet.genotype("ensemble"))
    costs = np.array([supernet.macs(genotype) for genotype in genotypes])
    shares = costs / whole
    accuracies = 0.3 + 0.6 * shares - np.abs(rng.normal(0, 0.1, evaluations))
    accuracies = np.clip(accuracies + 0.05 * np.sin(9 * shares), 0, 1)
    accuracies = np.round(accuracies * 200) / 200  # as of 200 samples
    store(folder, genotypes, accuracies, costs, list(swept or {POPULATION: 0.0}))
    write_text(folder / HISTORY_FILE, history(evaluations))
    write_text(folder / STITCHES, stitches(supernet))
    if done:
        pairs = np.column_stack([accuracies, costs])
        kept = np.flatnonzero(moocore.is_nondominated(pairs, maximise=[True, False]))
        points = [point(supernet, genotypes[i], float(accuracies[i])) for i in kept]
        references = [
            point(supernet, genotype, 0.6 + 0.1 * index, label)
            for index, (label, genotype) in enumerate(supernet.references().items())
        ]
        front = make_front(points, references)
        if cascades:
            front = with_cascades(supernet, front)
        front.to_json(folder / FRONT_FILE)
    return supernet


def document(
    name: str, evaluations: int, done: bool, swept: Mapping[int, float]
) -> dict[str, object]:
    ended = {
        "stopped": "budget",
        "evaluations": evaluations,
        "skipped": 2 * evaluations,
        "unchanged": evaluations,
        "failed": 0,
        "search_seconds": 300.0,
        "sweep": [
            {"population": size, "hypervolume": volume, "evaluated": 1, "skipped": 0}
            for size, volume in swept.items()
        ],
    }
    outcome = {"outcome": ended} if done else {}
    return {
        "format": FORMAT,
        "name": name,
        "config": {"name": name, "search": {"evaluations": evaluations}},
        "versions": {"netstitch": "0", "torch": "0"},
        "networks": {},
        "samples": {},
        "seconds": {"capture": 1.5, "fit": 20.25, "search and test": 300.0},
        "written": "2026-01-01T00:00:00+00:00",
        **outcome,
    }


def point(supernet: Supernet, genotype: np.ndarray, accuracy: float, label: str = "") -> FrontPoint:
    test = max(0.0, accuracy - 0.03)
    return FrontPoint(
        label=label,
        genotype=tuple(int(value) for value in genotype),
        multiply_adds=supernet.macs(genotype),
        stitches=len(supernet.active_stitches(genotype)),
        validation=accuracy,
        test=test,
        output=supernet.outputs[int(genotype[-1])],
        validation_difference=Interval(accuracy - 0.8, accuracy - 0.82, accuracy - 0.78),
        test_difference=Interval(test - 0.8, test - 0.82, test - 0.78),
        gap=Interval(accuracy - test, 0.0, 0.06),
        calibration={"test": calibration(round(100 * test))},
    )


def with_cascades(supernet: Supernet, front: Front) -> Front:
    """The front with an exit, cascades that begin with it, and plain ones with it and without."""
    early = Exit(0, (supernet.structure.graphs[0].points[4].name,))
    alone = multiply_adds_of(supernet.structure, [early])
    exit = FrontPoint("", supernet_genotype(supernet, "wide"), alone + 20, 0, 0.66, 0.64, "wide")
    points = make_front([*front.points, replace(exit, exit=early)]).points
    genotypes = [point.genotype for point in points if point.stitches][-3:]
    ensemble, wide = (supernet_genotype(supernet, name) for name in ("ensemble", "wide"))
    found = [cascade(supernet, "", early, genotype, 0.55) for genotype in genotypes]
    found.append(cascade(supernet, "", early, ensemble, 0.75))
    found.sort(key=lambda point: point.cost)
    return replace(
        front,
        points=points,
        cascades=tuple(replace(one, label=f"C{i}") for i, one in enumerate(found, start=1)),
        plain_cascades=(
            cascade(supernet, "plain-1", wide, ensemble, 0.74),
            cascade(supernet, "exits-1", early, ensemble, 0.74),
        ),
    )


def supernet_genotype(supernet: Supernet, name: str) -> tuple[int, ...]:
    return tuple(supernet.genotype(name).tolist())


def cascade(
    supernet: Supernet,
    label: str,
    first: Exit | tuple[int, ...],
    second: tuple[int, ...],
    accuracy: float,
) -> CascadePoint:
    """A cascade of two stages, of which the first answers 60 % of validation samples."""
    begins = first if isinstance(first, Exit) else np.array(first)
    beginning = multiply_adds_of(supernet.structure, [begins]) + 20.0
    whole = multiply_adds_of(supernet.structure, [begins, np.array(second)]) + 20.0
    more = whole - beginning
    shares = np.linspace(0.95, 0.05, 19).tolist()  # that stop first, as the threshold rises
    curve = [
        (round(0.05 + 0.9 * (1 - share), 3), accuracy - 0.1 * share**2, beginning + more * left)
        for share, left in ((share, 1 - share) for share in shares)
    ]
    return CascadePoint(
        label,
        Cascade((CascadeStage(first, 0.365, temperatures=(1.5,)), CascadeStage(second))),
        cost=beginning + 0.4 * more,
        worst_cost=whole,
        validation=accuracy,
        test=accuracy - 0.02,
        stage_costs=(beginning, more),
        outputs=("exit wide first" if isinstance(first, Exit) else "wide", "ensemble"),
        mean_costs={"validation": beginning + 0.4 * more, "test": beginning + 0.45 * more},
        shares={"validation": (0.6, 0.4), "test": (0.55, 0.45)},
        output="ensemble",
        test_difference=Interval(accuracy - 0.75, accuracy - 0.77, accuracy - 0.73),
        plain_difference={"test": Interval(0.01, -0.005, 0.02)},
        curve=tuple(curve),
    )


def calibration(right: int) -> Calibration:
    """A hundred predictions with a confidence of 0.95, so many of them right, in 30 bins."""
    return Calibration((*(0,) * 28, 100, 0), (*(0.0,) * 28, 95.0, 0.0), (*(0,) * 28, right, 0))


def store(
    folder: Path,
    genotypes: np.ndarray,
    accuracies: np.ndarray,
    costs: np.ndarray,
    populations: Sequence[int],
) -> None:
    Store(folder / EVALUATIONS, ("accuracy", "multiply-adds")).close()
    rows, given = [], []
    for index, genotype in enumerate(genotypes, start=1):
        row = (
            index,
            genotype.astype(np.uint16).tobytes(),
            index.to_bytes(16),
            json.dumps(
                {
                    "accuracy": float(accuracies[index - 1]),
                    "multiply-adds": float(costs[index - 1]),
                }
            ),
            0.01,
            1e9 + index,
            "here",
            None,
            int(index % 7 == 0),
        )
        rows.append((*row, checksum(row)))
        population = populations[(index - 1) * len(populations) // len(genotypes)]
        delivery = (population, index, index, index, 2 * index, 0.01 * index)
        given.append((*delivery, checksum(delivery)))
    with sqlite3.connect(folder / EVALUATIONS) as connection:
        connection.executemany(f"INSERT INTO evaluations VALUES ({','.join('?' * 10)})", rows)
        connection.executemany(f"INSERT INTO deliveries VALUES ({','.join('?' * 7)})", given)
    connection.close()


def history(evaluations: int) -> str:
    lines = ["used,evaluated,skipped,unchanged,elapsed,nonzero,active"]
    for moment in range(1, 101):
        used = evaluations * moment // 100
        counts = f"{used},{used // 2},{used // 2},{used // 4}"
        lines.append(f"{counts},{moment},{6 + moment / 50},{4 - moment / 50}")
    return "\n".join(lines) + "\n"


def stitches(supernet: Supernet) -> str:
    lines = [
        "match,source,source_point,source_depth,target,target_point,target_depth,relative_error"
    ]
    for index, stitch in enumerate(supernet.stitches):
        a, b = stitch.source, stitch.target
        lines.append(
            f"{stitch.match},{supernet.names[a.network]},{a.point},0.5,"
            f"{supernet.names[b.network]},{b.point},{index / len(supernet.stitches):.4f},"
            f"{0.1 + 0.02 * index:.4f}"
        )
    return "\n".join(lines) + "\n"
