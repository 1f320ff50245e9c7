"""Draw the figures of the documentation from a run of the demo, into docs/images.

    netstitch demo -o RUN && python benchmarks/figures.py RUN

matching.svg, network.svg: as the paper's Figures 2 and 3. front.svg: 4 and 5. stitches.svg: 6.
cascade.svg, hypervolume.svg, errors.svg, reliability.svg: as in the report.
"""

import argparse
import re
import shutil
import tempfile
from html import escape
from pathlib import Path

import numpy as np

from netstitch.analysis.front_choice import as_good
from netstitch.records import read_run
from netstitch.records.run_folder import SUPERNET
from netstitch.records.run_record import RunRecord
from netstitch.report import write_figures
from netstitch.report.cascade_sections import shown_cascades
from netstitch.report.network_sections import errors_of
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
FEW = range(2, 5)
"""Stitches of the network that is drawn: more of them hide one another."""
TITLE = 28
"""Height of the line above the picture of a stage."""


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
    (IMAGES / "cascade.svg").write_text(on_white(cascade(run)) + "\n")


def network(run: RunRecord) -> str:
    """The most accurate of the evaluated networks with few stitches, on the front or not."""
    found, structure = run.evaluations, run.structure
    few = [
        (found.score[row], -row)  # of equal ones the first
        for row, genotype in enumerate(found.genotypes.astype(np.int64))
        if len(structure.active_stitches(genotype)) in FEW and np.isfinite(found.score[row])
    ]
    _, row = max(few)
    made = composition(structure, found.genotypes[-row].astype(np.int64))
    return drawing(made, structure.names, errors_of(run), in_words(made, structure.names))


def cascade(run: RunRecord) -> str:
    """The cascade that the demo exports, its stages below one another, in one picture."""
    front = run.front
    point = as_good((*front.cascades, *front.plain_cascades))
    if point is None:
        raise SystemExit("no cascade of this run is as good as the ensemble: there is none to draw")
    [shown] = [one for one in shown_cascades(run) if one.label == point.label]
    drawn, widest, y = [], 0, 0
    for stage in shown.stages:
        width, height = map(int, re.findall(r'(?:width|height)="(\d+)"', stage.drawing)[:2])
        drawn.append(f'<text x="0" y="{y + TITLE - 8}">{escape(stage.title)}</text>')
        drawn.append(stage.drawing.replace("<svg", f'<svg y="{y + TITLE}"', 1))
        y, widest = y + TITLE + height, max(widest, width)
    return (
        f'<svg class="composition" viewBox="0 0 {widest} {y}" width="{widest}" height="{y}" '
        f'role="img" xmlns="http://www.w3.org/2000/svg"><title>{escape(shown.words)}</title>'
        f"{''.join(drawn)}</svg>"
    )


def on_white(svg: str) -> str:
    """A picture that is a file of its own, in its light colours wherever it is shown."""
    head, body = svg.split(">", 1)
    style = f"<style>{STYLE}</style>" if 'class="composition"' in head else ""
    return f'{head}>{style}<rect width="100%" height="100%" fill="#ffffff"/>{body}'


if __name__ == "__main__":
    main()
