"""Fronts with cascades, their numbers made up: what is shown of them needs no network."""

from netstitch.analysis import CascadePoint, Front, FrontPoint, Interval
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.stitching.exit import Exit

MOBILENET, RESNET, ENSEMBLE = (0, 0, 0), (0, 0, 1), (0, 0, 2)
EARLY = Exit(0, ("features.3",))


def network(
    label: str,
    genotype: tuple[int, ...],
    cost: int,
    validation: float,
    output: str,
    *,
    stitches: int = 0,
    exit: Exit | None = None,
) -> FrontPoint:
    """A network whose test accuracy is a little lower."""
    test = round(validation - 0.003, 4)
    return FrontPoint(label, genotype, cost, stitches, validation, test, output, exit=exit)


def cascade(
    label: str,
    cost: float,
    validation: float,
    *,
    first: tuple[int, ...] | Exit = MOBILENET,
    share: float = 0.75,
    words: tuple[str, str] = ("mobilenet", "ensemble"),
) -> CascadePoint:
    """A cascade of two stages, the second one the ensemble; on test samples it costs more."""
    difference = round(validation - 0.929, 4)
    beside = Interval(difference, difference - 0.002, difference + 0.002)
    rows = ((0.5, validation - 0.01, cost / 2), (0.55, validation, cost), (0.9, 0.929, 6e6))
    stages = (CascadeStage(first, 0.55, temperatures=(1.2,)), CascadeStage(ENSEMBLE))
    return CascadePoint(
        label,
        Cascade(stages),
        cost=cost,
        worst_cost=8_000_000,
        validation=validation,
        test=round(validation - 0.002, 4),
        stage_costs=(cost / 2, 8_000_000 - cost / 2),
        outputs=words,
        mean_costs={"validation": cost, "test": cost + 100_000},
        shares={
            "validation": (share, 1 - share),
            "test": (round(share - 0.05, 4), round(1.05 - share, 4)),
        },
        output="ensemble",
        test_difference=beside,
        plain_difference={"test": Interval(0.004, 0.001, 0.007)},
        curve=rows,
    )


def front_of_both() -> Front:
    """Two networks, one of them an exit, two cascades, and two plain ones."""
    return Front(
        (
            network("P1", MOBILENET, 900_000, 0.86, "mobilenet", exit=EARLY),
            network("P2", (0, 1, 2), 6_000_000, 0.931, "ensemble", stitches=1),
        ),
        (
            network("mobilenet", MOBILENET, 3_200_000, 0.915, "mobilenet"),
            network("resnet", RESNET, 4_800_000, 0.92, "resnet"),
            network("ensemble", ENSEMBLE, 8_000_000, 0.929, "ensemble"),
        ),
        cascades=(
            cascade("C2", 2_600_000, 0.93, first=EARLY, words=("exit mobilenet f.3", "ensemble")),
            cascade("C1", 1_400_000, 0.91, first=EARLY, words=("exit mobilenet f.3", "ensemble")),
        ),
        plain_cascades=(
            cascade("plain-1", 4_400_000, 0.927),
            cascade("exits-1", 2_500_000, 0.925, first=EARLY, words=("exit", "ensemble")),
        ),
    )
