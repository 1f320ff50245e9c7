"""The problems that searches are measured on: fronts that are known are those of all genotypes."""

import numpy as np
import pytest


def exhaustive(case) -> set[tuple[float, ...]]:  # type: ignore[no-untyped-def]
    """The front, each genotype by itself, each against each."""
    from problems.exhaustive import all_genotypes

    maximise = np.array([objective.maximise for objective in case.problem.objectives])
    found = {
        case.evaluate(genotype)
        for part in all_genotypes(case.problem.cardinalities)
        for genotype in part
    }
    points = np.array(sorted(found))
    costs = np.where(maximise, -points, points)
    kept = [
        tuple(point)
        for point, cost in zip(points.tolist(), costs, strict=True)
        if not ((costs <= cost).all(axis=1) & (costs < cost).any(axis=1)).any()
    ]
    return set(kept)


@pytest.mark.parametrize("loose", [False, True])
@pytest.mark.parametrize("blocks", [1, 2])
def test_the_front_of_traps(blocks: int, loose: bool) -> None:
    from problems.traps import traps

    case = traps("traps", blocks, loose, 8, 100)
    assert case.front == exhaustive(case)
    assert len(case.front) == blocks + 1


def test_the_front_of_the_best_of_several_traps() -> None:
    from problems.structures import best_of_traps

    case = best_of_traps(2, 2, 8, 100, draw=5)
    assert case.front == exhaustive(case)


@pytest.mark.parametrize("structures", [2, 3])
def test_the_front_of_structures_that_are_parts_of_it(structures: int) -> None:
    from problems.structures import parts_of_front

    case = parts_of_front(structures, 2, 8, 100, draw=5)
    assert case.front == exhaustive(case)
    assert len(case.front) == structures


@pytest.mark.parametrize("name", ["lotz", "zeros_ones"])
def test_fronts_in_a_row(name: str) -> None:
    from problems import orders

    case = getattr(orders, name)(8, 8, 100)
    assert case.front == exhaustive(case)
    assert len(case.front) == 9


@pytest.mark.parametrize("name", ["nk", "max_cut"])
def test_fronts_of_rugged_problems(name: str) -> None:
    from problems import landscapes

    case = getattr(landscapes, name)(9, 8, 100)
    assert case.front == exhaustive(case)
    assert len(case.front) > 2


def test_stitching_is_the_same_for_all_genotypes_of_a_signature() -> None:
    from problems.exhaustive import all_genotypes
    from problems.stitching import stitching

    case = stitching(3, 8, 100)
    assert case.front == exhaustive(case)
    meant: dict[bytes, tuple[float, ...]] = {}
    for part in all_genotypes(case.problem.cardinalities):
        for genotype in part:
            assert case.problem.signature is not None
            values = case.evaluate(genotype)
            assert meant.setdefault(case.problem.signature(genotype), values) == values
    assert len(meant) < 3 * 2**6 / 2


def test_what_stitching_does_not_depend_on_changes_nothing() -> None:
    from problems.stitching import stitching

    case, generator = stitching(6, 8, 100), np.random.default_rng(0)
    assert case.problem.active is not None
    for _ in range(200):
        genotype = generator.integers(np.array(case.problem.cardinalities))
        active = case.problem.active(genotype)
        other = np.where(active, genotype, 1 - genotype)
        assert case.evaluate(other) == case.evaluate(genotype)
        for variable in np.flatnonzero(~active):
            changed = genotype.copy()
            changed[variable] = 1 - changed[variable]
            assert case.problem.signature(changed) == case.problem.signature(genotype)


def test_what_a_supernet_of_the_papers_size_does_not_depend_on_changes_nothing() -> None:
    from problems.imagenet_a import imagenet_a

    case, generator = imagenet_a(), np.random.default_rng(0)
    assert case.problem.length == 309
    assert case.problem.active is not None
    for _ in range(50):
        genotype = (generator.random(309) < 0.05).astype(np.int64)
        genotype[-1] = generator.integers(3)
        active = case.problem.active(genotype)
        assert case.evaluate(np.where(active, genotype, 1 - genotype)) == case.evaluate(genotype)


def test_a_supernet_of_the_papers_size_breaks_by_many_stitches() -> None:
    """The references are as good as they are known to be, and an ensemble gains."""
    from problems.imagenet_a import imagenet_a

    case, generator = imagenet_a(), np.random.default_rng(0)
    references = np.zeros((3, 309), dtype=np.int64)
    references[:, -1] = range(3)
    (resnet, large), (efficientnet, small), (ensemble, both) = map(case.evaluate, references)
    assert efficientnet < resnet < ensemble
    assert 11.4e9 < large < 11.6e9  # as timm has them, at 224 pixels
    assert 1.4e9 < small < 1.6e9
    assert both == large + small

    def median(stitches: int) -> float:
        drawn = (generator.random((200, 309)) < stitches / 309).astype(np.int64)
        drawn[:, -1] = 2
        return float(np.median([case.evaluate(genotype)[0] for genotype in drawn]))

    few, some, many = median(1), median(6), median(31)
    assert few > 0.7
    assert few > some > many
    assert many < 0.1


def test_a_search_of_the_papers_size_is_counted() -> None:
    """None of the first proposals is unchanged; signatures skip all that the paper skips."""
    from paper_scale import search, table

    row = search("gomea", 1, 400, population=16)
    assert 16 <= row["begun"] <= row["completed"] + 16
    assert 0 < row["unchanged"] <= row["skipped"] <= 400 - 16
    assert row["used"] == 400
    assert row["stopped"] == "budget"
    assert f"| gomea | 1 | {row['reassigned']} | {row['begun']} |" in table([row])


def test_a_search_of_one_pass_each_ends_with_the_last() -> None:
    from paper_scale import ONCE, search

    row = search(f"lk-gomea{ONCE}", 1, 20_000, population=16)
    assert row["begun"] == row["completed"] == 16
    assert row["in_first"] == row["used"] < 20_000
    assert row["stopped"] == "converged"
