"""The error of stitches by depth, as a table.

python depths.py RUN
"""

import csv
import sys
from pathlib import Path

import numpy as np

PARTS = 5


def main(run: Path) -> None:
    with (run / "stitches.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["relative_error"]]
    depths = np.array([(float(r["source_depth"]) + float(r["target_depth"])) / 2 for r in rows])
    errors = np.array([float(row["relative_error"]) for row in rows])
    towards = np.array([row["target"] for row in rows])
    names = sorted(set(towards))
    print(f"| depth | stitches | {' | '.join(f'error, to {name}' for name in names)} |")
    print(f"|---|---:|{'---:|' * len(names)}")
    for part in range(PARTS):
        low, high = part / PARTS, (part + 1) / PARTS
        inside = (depths >= low) & ((depths < high) | (part == PARTS - 1))
        medians = [np.median(errors[inside & (towards == name)]) for name in names]
        cells = " | ".join(f"{median:.2f}" for median in medians)
        print(f"| {low:.0%} to {high:.0%} | {inside.sum()} | {cells} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
