"""The mean held-out error of all stitches with one ridge or another, by how many images there are.

    python benchmarks/ridges.py --pair NAME

Distinct points, the maximum count. An eighth of the images is held out, and errors are
|target - stitch(source)|^2 / |target - mean|^2 on these.
"""

import argparse
from statistics import mean

from pairs import PAIRS, in_order_of, load_networks, load_task

import netstitch as ns

RIDGES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
IMAGES = (64, 128, 512)
"""Beside all that there are."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Ridges")
    parser.add_argument("--pair", choices=tuple(PAIRS), default="demo")
    pair = parser.parse_args().pair
    task = load_task(pair)
    assert task.training is not None
    networks = load_networks(pair, task)
    supernet = ns.Supernet(networks, ns.match(*networks, points="distinct"))
    images = in_order_of(task.training, 0)
    print("| images |" + "".join(f" {ridge:.0e} |" for ridge in RIDGES))
    print("|---" * (len(RIDGES) + 1) + "|")
    for count in (*IMAGES, len(images)):
        batches = images.first(count).batches(64)
        cells = []
        for ridge in RIDGES:
            report = supernet.fit(batches, ridge=ridge)
            errors = [row.relative_error for row in report.rows if row.relative_error is not None]
            cells.append(f" {mean(errors):.4f} |")
        print(f"| {count:,} |" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
