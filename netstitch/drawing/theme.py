"""How charts look: colours that are told apart with every kind of colour vision, and their axes."""

from typing import Any

OUTPUTS = (
    ("#0072b2", "circle"),
    ("#009e73", "square"),
    ("#cc79a7", "diamond"),
    ("#56b4e9", "triangle-up"),
    ("#999999", "triangle-down"),
)
"""A colour and a shape for each choice of outputs (Okabe and Ito's colours)."""

REFERENCE, SHADE = "#d55e00", "rgba(230, 159, 0, 0.13)"


def layout(x: str, y: str, **more: Any) -> dict[str, Any]:
    """What all charts share; colours of text and lines are set by the page, light or dark."""
    axis = {"zeroline": False, "ticks": "outside", "automargin": True}
    return {
        "xaxis": {"title": {"text": x}, "rangemode": "tozero", **axis},
        "yaxis": {"title": {"text": y}, **axis},
        # Above the plot there is room for its buttons, which would else lie over marks.
        "margin": {"l": 10, "r": 10, "t": 34, "b": 10},
        "height": 400,
        "hovermode": "closest",
        "legend": {"orientation": "h", "y": -0.22, "font": {"size": 11}},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        **more,
    }


def plain(text: str) -> str:
    """Text that plotly, which shows a few tags of HTML, does not take for one."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
