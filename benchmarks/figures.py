"""Draw the figures of the documentation from a run of the demo, into docs/images.

    netstitch demo -o RUN && python benchmarks/figures.py RUN

matching.svg, network.svg: as the paper's Figures 2 and 3. demo-front.svg: 4 and 5. stitches.svg: 6.
hypervolume.svg, errors.svg, calibration.svg: as in the report.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np

from netstitch.records import read_run
from netstitch.records.run_folder import SUPERNET
from netstitch.records.run_record import RunRecord
from netstitch.report import write_figures
from netstitch.stitching import composition, in_words
from netstitch.stitching.subnetwork_drawing import STYLE, drawing
from netstitch.supernet.supernet_loading import load_supernet

IMAGES = Path(__file__).parent.parent / "docs" / "images"
COPIED = {
    "front-2.svg": "front.svg",
    "hypervolume-0.svg": "hypervolume.svg",
    "stitches-0.svg": "stitches.svg",
    "errors-0.svg": "errors.svg",
    "calibration-0.svg": "reliability.svg",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    folder = parser.parse_args().run
    run = read_run(folder)
    with tempfile.TemporaryDirectory() as place:
        write_figures(run, Path(place) / "figures", formats=["svg"])
        for source, target in COPIED.items():
            shutil.copyfile(Path(place) / "figures" / source, IMAGES / target)
    matching = load_supernet(folder / SUPERNET).matching
    (IMAGES / "matching.svg").write_text(on_white(matching.svg()) + "\n")
    (IMAGES / "network.svg").write_text(on_white(network(run)) + "\n")


def network(run: RunRecord) -> str:
    """The network of the front with the most stitches."""
    point = max(run.front.points, key=lambda point: point.stitches)
    made = composition(run.structure, np.array(point.genotype, np.int64))
    words = in_words(made, run.structure.names)
    errors = {index: row.relative_error for index, row in enumerate(run.stitches)}
    return drawing(made, run.structure.names, errors, f"{point.label}: {words}")


def on_white(svg: str) -> str:
    """A picture that is a file of its own, in its light colours wherever it is shown."""
    head, body = svg.split(">", 1)
    style = f"<style>{STYLE}</style>" if 'class="composition"' in head else ""
    return f'{head}>{style}<rect width="100%" height="100%" fill="#ffffff"/>{body}'


if __name__ == "__main__":
    main()
