"""A subnetwork in a notebook: a line of words, and the drawing."""

from collections.abc import Mapping
from html import escape

from netstitch.stitching.reachability import Genotype
from netstitch.stitching.sections import composition
from netstitch.stitching.structure import Structure
from netstitch.stitching.subnetwork_drawing import STYLE, drawing
from netstitch.stitching.wording import in_words
from netstitch.text import amount, counted


def subnetwork_html(
    structure: Structure, genotype: Genotype, errors: Mapping[int, float | None]
) -> str:
    """What a genotype's network is made of, as HTML that needs no file.

    errors: of stitches, by index; None or missing where they are not known.
    """
    made = composition(structure, genotype)
    words = in_words(made, structure.names)
    count = len(structure.active_stitches(genotype))
    told = (
        f"{words}: {amount(made.multiply_adds)} multiply-adds, "
        f"{counted(count, 'stitch', 'stitches')}"
    )
    # Text in the notebook's own colour, which may be a light one.
    colours = "--text: currentColor; --faint: currentColor; --line: currentColor"
    return (
        f'<style>{STYLE}</style><div style="{colours}"><p>{escape(told)}</p>'
        f"{drawing(made, structure.names, errors, words)}</div>"
    )
