"""Networks as lanes, with what is joined between them: pictures as SVG, from plain data.

Along a lane a network's cost is counted in the order of computation, from 0 to 1, so that a place
says how deep something lies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LEFT, LENGTH, RIGHT = 130, 620, 130
BAR, ROW, LANE, TOP = 22, 46, 66, 34
NEAR = 60
"""Pixels that a bar of no length has for its label; a list has all of them."""
LABELLED = 8
"""Arrows that have their labels beside them; with more there is no room."""
LETTER, HEIGHTS = 6, 40
"""Pixels of a letter, and heights along an arrow that are tried for its label."""
APART = 110
"""Pixels from lane to lane where lines join them."""
COLOURS = (
    "#56a8dd", "#3cc39a", "#dd9fc3", "#f0b94a", "#a79be0", "#b5c24e", "#cba98a", "#9db0ba",
)  # fmt: skip
"""Colours of the networks, in order; they repeat after the last, and each lane has its name."""

_FILLS = "\n".join(
    f".composition .network-{index} {{ fill: var(--network-{index}, {colour}); }}"
    for index, colour in enumerate(COLOURS)
)
STYLE = f"""
.composition {{ max-width: 100%; height: auto; font: 12px system-ui, sans-serif; }}
.composition text {{ fill: var(--text, #1b1b1b); }}
.composition .faint {{ fill: var(--faint, #595959); font-size: 11px; }}
.composition .over {{ paint-order: stroke; stroke: var(--page, transparent);
  stroke-width: 3px; }}
.composition .lane {{ fill: none; stroke: var(--line, #999); stroke-dasharray: 3 3; }}
.composition .part {{ fill-opacity: 0.85; stroke: var(--text, #1b1b1b); stroke-width: 0.5; }}
.composition .part.pale {{ fill-opacity: 0.16; stroke-dasharray: 4 2; }}
{_FILLS}
.composition .way {{ fill: none; stroke: var(--faint, #595959); stroke-width: 1.2; }}
.composition .stitch {{ fill: none; stroke: var(--stitch, #b23a00); stroke-width: 2; }}
.composition .stitch.pale, .composition .head.pale {{ opacity: 0.35; }}
.composition .head {{ fill: var(--stitch, #b23a00); }}
""".strip()


@dataclass(frozen=True)
class Bar:
    """A section of a network.

    Attributes:
        lane: Index of the network.
        begins: Where along the lane, 0 to 1, as `ends`.
        title: Said under the mouse.
        label: Written below it, where there is room.
        pale: It is there to be seen, and is not what the picture is about.
    """

    lane: int
    begins: float
    ends: float
    title: str
    label: str
    reads_input: bool
    gives_output: bool
    pale: bool = False


@dataclass(frozen=True)
class Arrow:
    """A stitch from one bar to another.

    Attributes:
        source: Index of the bar that it begins at, as `target` of the one that it ends at.
        begins: Where along the source's lane, 0 to 1, as `ends` along the target's.
        key: Index of the stitch.
        title: Said under the mouse.
        label: Written beside it, where there is room.
        pale: As of a bar.
    """

    source: int
    target: int
    begins: float
    ends: float
    key: int
    title: str
    label: str
    pale: bool = False


@dataclass(frozen=True)
class Line:
    """A line from a lane to a lower one, at places of 0 to 1; the title is said under the mouse."""

    lanes: tuple[int, int]
    places: tuple[float, float]
    title: str


def bars_svg(
    names: Sequence[str],
    bars: Sequence[Bar],
    arrows: Sequence[Arrow],
    title: str = "",
    end: str = "",
) -> str:
    """Return an SVG of bars, in an order of computation, and arrows between them.

    Colours are those of STYLE, which a page has once; a screen reader says the title. The end is
    what stands where bars come together, by default "output" or "average".
    """
    rows = _rows(bars)
    tops: dict[int, int] = {}
    y = TOP
    for lane in sorted({bar.lane for bar in bars}):
        tops[lane] = y
        deepest = max(row for row, bar in zip(rows, bars, strict=True) if bar.lane == lane)
        y += (deepest + 1) * ROW + LANE
    height, width = y - LANE + 8, LEFT + LENGTH + RIGHT
    middles = [tops[bar.lane] + row * ROW + BAR // 2 for bar, row in zip(bars, rows, strict=True)]
    drawn = [f'<title id="{_id(title)}">{escape(title)}</title>' if title else ""]
    drawn += [_lane(names[lane], top) for lane, top in tops.items()]
    drawn += _ways(bars, middles, (TOP + height - 40) // 2, end)
    # Arrows first: one that passes a lane between its ends is behind what stands there.
    drawn += [_arrow(arrow, middles) for arrow in arrows]
    drawn += [_bar(bar, middle) for bar, middle in zip(bars, middles, strict=True)]
    if len(arrows) <= LABELLED:
        drawn += _labels(arrows, middles)
    labelled = f' aria-labelledby="{_id(title)}"' if title else ""
    return (
        f'<svg class="composition" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img"{labelled} xmlns="http://www.w3.org/2000/svg">'
        f"{''.join(drawn)}</svg>"
    )


def lines_svg(names: Sequence[str], lines: Sequence[Line], title: str) -> str:
    """Return an SVG of a whole lane for each network, and lines between them."""
    width, height = LEFT + LENGTH + 20, (len(names) - 1) * APART + BAR + 16
    # Lines first: one that passes a lane between its ends is behind it.
    drawn = []
    for line in lines:
        (upper, lower), (start, end) = line.lanes, line.places
        drawn.append(
            f'<line x1="{round(LEFT + start * LENGTH, 1)}" y1="{8 + upper * APART + BAR}" '
            f'x2="{round(LEFT + end * LENGTH, 1)}" y2="{8 + lower * APART}" stroke="#b23a00" '
            f'stroke-width="1.1" opacity="0.7"><title>{escape(line.title)}</title></line>'
        )
    drawn += [
        f'<text x="{LEFT - 10}" y="{8 + lane * APART + 15}" text-anchor="end" '
        f'fill="currentColor">{escape(_short(name))}</text><rect x="{LEFT}" '
        f'y="{8 + lane * APART}" width="{LENGTH}" height="{BAR}" '
        f'fill="{COLOURS[lane % len(COLOURS)]}"/>'
        for lane, name in enumerate(names)
    ]
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'style="max-width: 100%; height: auto; font: 12px system-ui, sans-serif" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{"".join(drawn)}</svg>'
    )


def _rows(bars: Sequence[Bar]) -> list[int]:
    """Return for each bar the first row of its lane in which nothing lies over it."""
    taken: dict[tuple[int, int], list[Bar]] = {}
    rows = []
    for bar in bars:
        row = 0
        while any(
            bar.begins < other.ends and other.begins < bar.ends
            for other in taken.get((bar.lane, row), ())
        ):
            row += 1
        taken.setdefault((bar.lane, row), []).append(bar)
        rows.append(row)
    return rows


def _lane(name: str, top: int) -> str:
    return (
        f'<text x="{LEFT - 12}" y="{top + 15}" text-anchor="end">{escape(_short(name))}</text>'
        f'<rect class="lane" x="{LEFT}" y="{top}" width="{LENGTH}" height="{BAR}"/>'
    )


def _ways(bars: Sequence[Bar], middles: Sequence[int], output: int, told: str) -> list[str]:
    """Return the ways from bars to the output, at a height, and its mark."""
    end = LEFT + LENGTH + 60
    drawn = [
        f'<path class="way" d="M{_x(bar.ends)} {middle} C{end - 25} {middle} {end - 40} '
        f'{output} {end} {output}"/>'
        for bar, middle in zip(bars, middles, strict=True)
        if bar.gives_output
    ]
    word = told or ("average" if len(drawn) > 1 else "output")
    mark = f'<circle class="way" cx="{end + 5}" cy="{output}" r="5"/>'
    return [*drawn, f'{mark}<text x="{end + 14}" y="{output + 4}">{escape(word)}</text>']


def _bar(bar: Bar, middle: int) -> str:
    left, top = _x(bar.begins), middle - BAR // 2
    width = max(3, _x(bar.ends) - left)
    label = mark = ""
    pale = " pale" if bar.pale else ""
    colour = bar.lane % len(COLOURS)
    if len(bar.label) * LETTER < max(width, NEAR):
        at = f'x="{left + 6}" y="{top + BAR + 13}"'
        label = f'<text class="faint over" {at}>{escape(bar.label)}</text>'
    if bar.reads_input:
        mark = f'<text x="{left - 9}" y="{middle + 4}"><tspan class="faint">▸</tspan></text>'
    return (
        f'<g><title>{escape(bar.title)}</title><rect class="part network-{colour}{pale}" '
        f'x="{left}" y="{top}" width="{width}" height="{BAR}"/>{mark}{label}</g>'
    )


def _arrow(arrow: Arrow, middles: Sequence[int]) -> str:
    (x0, y0), (x1, y1) = _ends(arrow, middles)
    down = 1 if y0 <= y1 else -1
    bend = max(20, abs(y1 - y0) // 2)
    pale = " pale" if arrow.pale else ""
    way = f"M{x0} {y0} C{x0} {y0 + down * bend} {x1} {y1 - down * bend} {x1} {y1}"
    return (
        f'<g data-stitch="{arrow.key}"><title>{escape(arrow.title)}</title>'
        f'<path class="stitch{pale}" d="{way}"/>'
        f'<path class="head{pale}" d="M{x1} {y1 + down * 5} l-4 {-down * 7} h8 z"/></g>'
    )


def _ends(arrow: Arrow, middles: Sequence[int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the ends of an arrow, from edge to edge of its bars."""
    down = 1 if middles[arrow.source] <= middles[arrow.target] else -1
    return (
        (_x(arrow.begins), middles[arrow.source] + down * BAR // 2),
        (_x(arrow.ends), middles[arrow.target] - down * (BAR // 2 + 5)),
    )


def _labels(arrows: Sequence[Arrow], middles: Sequence[int]) -> list[str]:
    """Return the labels of arrows, each beside its own, off bars and off one another.

    Each at a height of its own, so that few are side by side, or at the nearest that is free.
    """
    drawn, taken = [], list[tuple[int, int, int]]()
    for index, arrow in enumerate(arrows):
        wanted = (index + 1) / (len(arrows) + 1)
        width = LETTER * len(arrow.label)
        shares = sorted(
            (one / HEIGHTS for one in range(HEIGHTS + 1)), key=lambda s: abs(s - wanted)
        )
        places = [_beside(arrow, middles, share) for share in (wanted, *shares)]
        free = (
            (x, y)
            for x, y in places
            if not any(middle - BAR // 2 < y < middle + BAR + 16 for middle in middles)
            and not any(
                x < right and left < x + width and abs(y - other) < 13
                for left, right, other in taken
            )
        )
        x, y = next(free, places[0])
        taken.append((x, x + width, y))
        drawn.append(f'<text class="faint over" x="{x}" y="{y}">{escape(arrow.label)}</text>')
    return drawn


def _beside(arrow: Arrow, middles: Sequence[int], share: float) -> tuple[int, int]:
    """Return the place of a label at a share of an arrow's height: a cubic with upright ends."""
    (x0, y0), (x1, y1) = _ends(arrow, middles)
    eased = share * share * (3 - 2 * share)
    return round(x0 + eased * (x1 - x0)) + 7, round(y0 + share * (y1 - y0)) + 4


def _id(title: str) -> str:
    return "title-" + "".join(c if c.isalnum() and c.isascii() else "-" for c in title)


def _x(share: float) -> int:
    return LEFT + round(share * LENGTH)


def _short(name: str, most: int = 16) -> str:
    """Return a name without its middle, where it is long: those of one family end differently."""
    half = most // 2
    return name if len(name) <= most else f"{name[: most - half - 1]}…{name[-half:]}"
