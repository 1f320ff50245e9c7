"""A subnetwork as a picture: a lane for each network, its parts as bars, stitches as arrows.

Along a lane a network's multiply-adds are counted in the order of computation, so a bar's place
says how deep it lies, and its length what its network spends between its ends.
"""

from collections.abc import Mapping, Sequence
from html import escape

from netstitch.stitching.sections import Composition, Section, StitchEdge
from netstitch.stitching.wording import module_of, span_of
from netstitch.text import amount

LEFT, LENGTH, RIGHT = 130, 620, 130
BAR, ROW, LANE, TOP = 22, 46, 66, 34
NEAR = 60
"""Beside a bar of no length there is so much room for what it is; a list has all of them."""
LABELLED = 8
"""Arrows that are told their error beside them; with more there is no room."""

STYLE = """
.composition { max-width: 100%; height: auto; font: 12px system-ui, sans-serif; }
.composition text { fill: var(--text, #1b1b1b); }
.composition .faint { fill: var(--faint, #595959); font-size: 11px; }
.composition .lane { fill: none; stroke: var(--line, #999); stroke-dasharray: 3 3; }
.composition .part { fill-opacity: 0.85; stroke: var(--text, #1b1b1b); stroke-width: 0.5; }
.composition .network-0 { fill: var(--network-0, #56a8dd); }
.composition .network-1 { fill: var(--network-1, #3cc39a); }
.composition .network-2 { fill: var(--network-2, #dd9fc3); }
.composition .network-3 { fill: var(--network-3, #f0b94a); }
.composition .way { fill: none; stroke: var(--faint, #595959); stroke-width: 1.2; }
.composition .stitch { fill: none; stroke: var(--stitch, #b23a00); stroke-width: 2; }
.composition .head { fill: var(--stitch, #b23a00); }
""".strip()


def drawing(
    found: Composition,
    names: Sequence[str],
    errors: Mapping[int, float | None],
    title: str = "",
) -> str:
    """An SVG; its colours are those of STYLE, which a page has once.

    names: of the networks. errors: of stitches, by index; None or missing where it is not known.
    title: what a screen reader says.
    """
    rows = _rows(found.parts)
    lanes = sorted({part.network for part in found.parts})
    tops: dict[int, int] = {}
    y = TOP
    for network in lanes:
        tops[network] = y
        deepest = max(row for row, p in zip(rows, found.parts, strict=True) if p.network == network)
        y += (deepest + 1) * ROW + LANE
    height, width = y - LANE + 8, LEFT + LENGTH + RIGHT
    middles = [
        tops[p.network] + row * ROW + BAR // 2 for row, p in zip(rows, found.parts, strict=True)
    ]
    joint_y = (TOP + height - 40) // 2
    drawn = [f'<title id="{_id(title)}">{escape(title)}</title>' if title else ""]
    drawn += [_lane(network, tops[network], names) for network in lanes]
    drawn += _ways(found.parts, middles, joint_y)
    drawn += [_bar(part, middle) for part, middle in zip(found.parts, middles, strict=True)]
    told = len(found.joints) <= LABELLED
    for index, joint in enumerate(found.joints):
        height_of_label = (index + 1) / (len(found.joints) + 1) if told else None
        drawn.append(_arrow(joint, middles, errors.get(joint.stitch), height_of_label))
    labelled = f' aria-labelledby="{_id(title)}"' if title else ""
    return (
        f'<svg class="composition" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img"{labelled} xmlns="http://www.w3.org/2000/svg">'
        f"{''.join(drawn)}</svg>"
    )


def error_in_words(error: float | None) -> str:
    """A stitch's relative error."""
    return "error not known" if error is None else f"error {error:.2f}"


def _id(title: str) -> str:
    return "title-" + "".join(c if c.isalnum() and c.isascii() else "-" for c in title)


def _x(share: float) -> int:
    return LEFT + round(share * LENGTH)


def _rows(parts: Sequence[Section]) -> list[int]:
    """For each part the first row of its lane in which nothing lies over it."""
    taken: dict[tuple[int, int], list[Section]] = {}
    rows = []
    for part in parts:
        row = 0
        while any(
            part.begins < other.ends and other.begins < part.ends
            for other in taken.get((part.network, row), ())
        ):
            row += 1
        taken.setdefault((part.network, row), []).append(part)
        rows.append(row)
    return rows


def _lane(network: int, top: int, names: Sequence[str]) -> str:
    return (
        f'<text x="{LEFT - 12}" y="{top + 15}" text-anchor="end">{escape(_short(names[network]))}'
        f'</text><rect class="lane" x="{LEFT}" y="{top}" width="{LENGTH}" height="{BAR}"/>'
    )


def _short(name: str, most: int = 16) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _ways(parts: Sequence[Section], middles: Sequence[int], joint_y: int) -> list[str]:
    """From the input, and to the output."""
    drawn = []
    end = LEFT + LENGTH + 60
    for part, middle in zip(parts, middles, strict=True):
        if part.gives_output:
            drawn.append(
                f'<path class="way" d="M{_x(part.ends)} {middle} C{end - 25} {middle} {end - 40} '
                f'{joint_y} {end} {joint_y}"/>'
            )
    averaged = sum(part.gives_output for part in parts) > 1
    drawn.append(
        f'<circle class="way" cx="{end + 5}" cy="{joint_y}" r="5"/>'
        f'<text x="{end + 14}" y="{joint_y + 4}">{"average" if averaged else "output"}</text>'
    )
    return drawn


def _bar(part: Section, middle: int) -> str:
    left, top = _x(part.begins), middle - BAR // 2
    width = max(3, _x(part.ends) - left)
    cost = f"{amount(part.multiply_adds)} multiply-adds"
    what = escape(f"{span_of(part.first, part.last)}: {cost}")
    label = ""
    ends = dict.fromkeys((module_of(part.first), module_of(part.last)))
    text = f"{' – '.join(ends)}, {amount(part.multiply_adds)}"
    if len(text) * 6 < max(width, NEAR):
        label = f'<text class="faint" x="{left}" y="{top + BAR + 13}">{escape(text)}</text>'
    reads = '<tspan class="faint">▸</tspan>' if part.reads_input else ""
    mark = f'<text x="{left - 9}" y="{middle + 4}">{reads}</text>' if reads else ""
    return (
        f'<g><title>{what}</title><rect class="part network-{part.network % 4}" x="{left}" '
        f'y="{top}" width="{width}" height="{BAR}"/>{mark}{label}</g>'
    )


def _arrow(
    joint: StitchEdge, middles: Sequence[int], error: float | None, labelled: float | None
) -> str:
    """labelled: at which share of its height its error stands, so that no two are side by side."""
    above = middles[joint.source] <= middles[joint.target]
    down = 1 if above else -1
    x0, x1 = _x(joint.at), _x(joint.to)
    y0 = middles[joint.source] + down * BAR // 2
    y1 = middles[joint.target] - down * (BAR // 2 + 5)
    bend = max(20, abs(y1 - y0) // 2)
    what = f"stitch {joint.stitch}, {error_in_words(error)}"
    label = ""
    if labelled is not None:
        # On the curve: a cubic whose ends are upright.
        eased = labelled * labelled * (3 - 2 * labelled)
        x, y = round(x0 + eased * (x1 - x0)) + 7, round(y0 + labelled * (y1 - y0)) + 4
        label = f'<text class="faint" x="{x}" y="{y}">{error_in_words(error)}</text>'
    return (
        f'<g data-stitch="{joint.stitch}"><title>{what}</title><path class="stitch" '
        f'd="M{x0} {y0} C{x0} {y0 + down * bend} {x1} {y1 - down * bend} {x1} {y1}"/>'
        f'<path class="head" d="M{x1} {y1 + down * 5} l-4 {-down * 7} h8 z"/>{label}</g>'
    )
