"""Least squares against the paper's Adam procedure, on the old demo's networks and images.

    python benchmarks/fitting.py --most-passes 16

At equal samples: one pass over the same 4,096 images. At equal error: Adam with twice as many
samples again and again, until its median held-out error is within 5 % of least squares', or the
most passes are done. The error is |target - stitch(source)|^2 / |target - mean|^2 on held-out
images; times are ratios to least squares in the same run.
"""

from statistics import median

from pairs import load_supernet, load_task

from netstitch.fitting import FitReport

CLOSE = 1.05


def middle(report: FitReport) -> float:
    """The median relative error of all stitches."""
    return median(row.relative_error for row in report.rows if row.relative_error is not None)


def compare(most_passes: int) -> None:
    """Print the table, with so many passes of Adam at most."""
    task = load_task("old-demo")
    assert task.training is not None
    supernet = load_supernet("old-demo")
    batches = task.training.batches(64)
    supernet.fit(task.training.first(512).batches(64))  # warm up, not counted
    baseline = supernet.fit(batches)
    samples = baseline.samples
    print(f"{len(supernet.stitches)} stitches, {samples:,} images")
    print(f"{'method':26}{'samples':>9}{'time':>8}{'median error':>14}")
    print(f"{'least squares, one pass':26}{samples:9,}{1:8.1f}{middle(baseline):14.3f}")
    passes = 1
    while passes <= most_passes:
        beside = supernet.fit(batches).seconds  # again, since a machine's speed drifts
        report = supernet.fit(batches, method="adam", samples=passes * samples, seed=1)
        name = f"Adam, {passes} pass{'es' if passes > 1 else ''}"
        ratio = report.seconds / beside
        print(f"{name:26}{report.samples:9,}{ratio:8.1f}{middle(report):14.3f}", flush=True)
        if middle(report) <= CLOSE * middle(baseline):
            print(f"equal error: least squares takes 1/{ratio:.1f} of Adam's time")
            return
        passes *= 2
    print(f"Adam does not come within 5 % of least squares' error in {most_passes} passes")
