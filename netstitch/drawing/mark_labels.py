"""Labels beside marks, placed so that they cover neither one another nor the marks."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text
from numpy.typing import NDArray

Placing = tuple[
    float, float, Literal["left", "center", "right"], Literal["top", "center", "bottom"]
]

Extents = NDArray[np.float64]
"""Pixels (x0, y0, x1, y1) that a text or mark takes, (4,), or several, (n, 4)."""

# Where a label may stand, in typographic points from its mark, with its alignment; best first.
PLACES: tuple[Placing, ...] = (
    (8, 0, "left", "center"),
    (6, -6, "left", "top"),
    (6, 6, "left", "bottom"),
    (0, -8, "center", "top"),
    (0, 8, "center", "bottom"),
    (-6, -6, "right", "top"),
    (-8, 0, "right", "center"),
    (-6, 6, "right", "bottom"),
    (12, -18, "left", "top"),
    (-12, -18, "right", "top"),
    (12, 18, "left", "bottom"),
    (-12, 18, "right", "bottom"),
)
MARK = 4.0  # half the edge of a mark, in typographic points
OUTSIDE, UNREADABLE = 10.0, 100.0  # leaving the frame, covering a label: worse than a mark


def place_labels(
    axes: Axes,
    renderer: RendererBase,
    labels: Sequence[tuple[str, float, float]],
    *,
    avoid: Sequence[tuple[float, float]],
    colour: str,
) -> None:
    """Write labels, each a text with x and y, beside their marks, where they cover least.

    Of several places that cover the same, the one that comes first in PLACES is taken. Limits and
    position of the axes are final; `avoid` are x and y of marks, in data coordinates.
    """
    half = MARK * axes.figure.dpi / 72
    centres = axes.transData.transform(np.reshape(avoid, (-1, 2)))
    covering = np.hstack([centres - half, centres + half])
    written = np.empty((0, 4))
    frame = np.asarray(axes.get_window_extent(renderer).extents)
    for text, x, y in labels:
        tried = [_label(axes, text, (x, y), place, colour) for place in PLACES]
        boxes = [_extents(label, renderer) for label in tried]
        covered = np.array([_overlap(box, covering).sum() for box in boxes])
        unreadable = np.array([_overlap(box, written).sum() for box in boxes])
        outside = np.array([_overlap(box, box) - _overlap(box, frame) for box in boxes])
        loss = covered + OUTSIDE * outside + UNREADABLE * unreadable
        best = int(np.argmin(np.round(loss, 6)))
        for label in (*tried[:best], *tried[best + 1 :]):
            label.remove()
        written = np.vstack([written, boxes[best]])


def _label(
    axes: Axes, text: str, at: tuple[float, float], place: Placing, colour: str
) -> Annotation:
    dx, dy, horizontal, vertical = place
    leader = {"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkB": 3}
    return axes.annotate(
        text,
        at,
        xytext=(dx, dy),
        textcoords="offset points",
        ha=horizontal,
        va=vertical,
        fontsize=9,
        color=colour,
        zorder=5,
        annotation_clip=False,
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
        arrowprops=leader if abs(dy) > 10 else None,
    )


def _extents(label: Annotation, renderer: RendererBase) -> Extents:
    """Return the pixels of the text alone: with a leader, a label's box reaches to the mark."""
    label.update_positions(renderer)
    return np.asarray(Text.get_window_extent(label, renderer).extents)


def _overlap(box: Extents, others: Extents) -> Extents:
    """Return the area, (...), that a box, (4,), shares with each of the others, (..., 4)."""
    low = np.maximum(box[:2], others[..., :2])
    high = np.minimum(box[2:], others[..., 2:])
    return np.asarray(np.prod(np.clip(high - low, 0, None), axis=-1))
