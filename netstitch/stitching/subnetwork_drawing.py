"""A subnetwork as a picture: a lane for each network, its sections as bars, stitches as arrows."""

from collections.abc import Mapping, Sequence
from html import escape

from netstitch.drawing.lanes import STYLE, Arrow, Bar, bars_svg
from netstitch.stitching.reachability import Genotype
from netstitch.stitching.sections import Composition, Section, composition
from netstitch.stitching.structure import Structure
from netstitch.stitching.wording import in_words, module_of, span_of
from netstitch.text import counted, short_number


def drawing(
    found: Composition,
    names: Sequence[str],
    errors: Mapping[int, float | None],
    title: str = "",
) -> str:
    """Return the picture of a subnetwork or a stage as an SVG; see `bars_svg`.

    The relative errors of stitches are by index, and None or missing where not known; a screen
    reader says the title.
    """
    arrows = []
    for edge in found.edges:
        error = error_in_words(errors.get(edge.stitch))
        ends = edge.source, edge.target, edge.at, edge.to, edge.stitch
        arrows.append(Arrow(*ends, f"stitch {edge.stitch}, {error}", error, edge.reused))
    bars = [_bar(section) for section in found.sections]
    return bars_svg(names, bars, arrows, title, "exit" if found.of_exit else "")


def error_in_words(error: float | None) -> str:
    """Return a stitch's relative error as words."""
    return "error not known" if error is None else f"error {error:.2f}"


def subnetwork_html(
    structure: Structure, genotype: Genotype, errors: Mapping[int, float | None]
) -> str:
    """Return a genotype's network in words and as a picture, as HTML that needs no file."""
    made = composition(structure, genotype)
    words = in_words(made, structure.names)
    count = len(structure.active_stitches(genotype))
    heading = (
        f"{words}: {short_number(made.multiply_adds)} multiply-adds, "
        f"{counted(count, 'stitch', 'stitches')}"
    )
    # Text in the notebook's own colour, which may be a light one.
    colours = "--text: currentColor; --faint: currentColor; --line: currentColor"
    return (
        f'<style>{STYLE}</style><div style="{colours}"><p>{escape(heading)}</p>'
        f"{drawing(made, structure.names, errors, words)}</div>"
    )


def _bar(section: Section) -> Bar:
    cost = short_number(section.multiply_adds)
    ends = dict.fromkeys((module_of(section.first), module_of(section.last)))
    told = f"{span_of(section.first, section.last)}: {cost} multiply-adds"
    return Bar(
        section.network,
        section.begins,
        section.ends,
        f"{told}, computed before" if section.reused else told,
        f"{' – '.join(ends)}, {cost}",
        section.reads_input,
        section.gives_output,
        section.reused,
    )
