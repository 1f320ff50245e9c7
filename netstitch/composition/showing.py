"""A subnetwork in a notebook: a line of words, and the drawing."""

from html import escape

from netstitch.composition.drawing import STYLE, amount, drawing
from netstitch.composition.parts import composition
from netstitch.composition.words import in_words
from netstitch.stitching.structure import Structure
from netstitch.stitching.wiring import Genotype


def subnetwork_html(structure: Structure, genotype: Genotype) -> str:
    """What a genotype's network is made of, as HTML that needs no file.

    Its multiply-adds are those of all networks' parts and of the stitches.
    """
    made = composition(structure, genotype)
    words = in_words(made, structure.names)
    count = len(structure.active_stitches(genotype))
    told = (
        f"{words}: {amount(made.multiply_adds)} multiply-adds, {count} "
        f"{'stitch' if count == 1 else 'stitches'}"
    )
    return f"<style>{STYLE}</style><p>{escape(told)}</p>{drawing(made, structure.names, {}, words)}"
