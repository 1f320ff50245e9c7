"""How the search went, as interactive charts: hypervolume, stitches in use, and what was known."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from netstitch.analysis.course import hypervolume_course
from netstitch.evaluation.stored import Stored
from netstitch.report.reading import Row
from netstitch.report.style import OUTPUTS, layout, plain


def hypervolume_charts(
    stored: Stored, ensemble: int, floors: Sequence[float]
) -> tuple[go.Figure, go.Figure]:
    """Normalised hypervolume on validation samples, over evaluations and over minutes.

    Of each search (population size) a line, over each of the accuracies in `floors`; see
    `analysis.hypervolume`. Networks that ended early add nothing, as they cannot.
    """
    over_count = go.Figure(layout=layout("distinct networks evaluated", "hypervolume"))
    over_time = go.Figure(layout=layout("minutes of the search", "hypervolume"))
    whole = np.where(stored.bounded, np.nan, stored.accuracy)
    index = 0
    for search, given in stored.searches.items():
        for floor in floors:
            places, values = hypervolume_course(
                whole[given.evaluation],
                stored.multiply_adds[given.evaluation],
                ensemble=ensemble,
                accuracy_floor=floor,
            )
            if not len(given.evaluation):
                continue
            name = f"over accuracy {floor:g}"
            if len(stored.searches) > 1:
                name = f"population {search}, {name}"
            ends = np.append(places + 1, len(given.evaluation))
            steps = np.append(values, values[-1] if len(values) else 0.0)
            minutes = np.append(given.elapsed[places], given.elapsed[-1]) / 60
            colour, _ = OUTPUTS[index % len(OUTPUTS)]
            for figure, x in ((over_count, ends), (over_time, minutes)):
                figure.add_trace(
                    go.Scatter(
                        x=x,
                        y=steps,
                        mode="lines",
                        line={"shape": "hv", "color": colour, "width": 2},
                        name=name,
                    )
                )
            index += 1
    return over_count, over_time


def stitches_chart(history: Sequence[Row]) -> go.Figure:
    """Stitches that may be used against those that are, of what was evaluated (Figure 6)."""
    figure = go.Figure(layout=layout("evaluations, known ones counted", "stitches, mean"))
    used = [float(row["used"]) for row in history]
    for index, (key, name) in enumerate((("nonzero", "may be used"), ("active", "are used"))):
        colour, symbol = OUTPUTS[index]
        figure.add_trace(
            go.Scatter(
                x=used,
                y=[float(row[key]) for row in history],
                mode="lines+markers",
                name=name,
                marker={"size": 4, "color": colour, "symbol": symbol},
                line={"color": colour},
            )
        )
    figure.update_yaxes(rangemode="tozero")
    return figure


def known_chart(history: Sequence[Row]) -> go.Figure:
    """The share of proposals that were known, and needed no evaluation: so far, and lately."""
    figure = go.Figure(layout=layout("evaluations, known ones counted", "share that was known"))
    used = np.array([float(row["used"]) for row in history])
    known = np.array([float(row["skipped"]) for row in history])
    lately = np.diff(known, prepend=0.0) / np.maximum(np.diff(used, prepend=0.0), 1.0)
    for index, (name, y) in enumerate(
        (("so far", known / np.maximum(used, 1.0)), ("since the moment before", lately))
    ):
        colour, symbol = OUTPUTS[index]
        figure.add_trace(
            go.Scatter(
                x=used,
                y=y,
                mode="lines+markers",
                name=name,
                marker={"size": 4, "color": colour, "symbol": symbol},
                line={"color": colour},
            )
        )
    figure.update_yaxes(rangemode="tozero", tickformat=".0%")
    return figure


def errors_chart(stitches: Sequence[Row]) -> go.Figure:
    """The error of each stitch by how deep its target lies, a colour for each direction."""
    figure = go.Figure(
        layout=layout("depth of the target, share of its network's multiply-adds", "relative error")
    )
    known = [row for row in stitches if row["relative_error"] != ""]
    ways = dict.fromkeys((row["source"], row["target"]) for row in known)
    for index, (source, target) in enumerate(ways):
        own = [row for row in known if (row["source"], row["target"]) == (source, target)]
        colour, symbol = OUTPUTS[index % len(OUTPUTS)]
        figure.add_trace(
            go.Scatter(
                x=[float(row["target_depth"]) for row in own],
                y=[float(row["relative_error"]) for row in own],
                mode="markers",
                name=plain(f"{source} to {target}"),
                marker={"size": 6, "color": colour, "symbol": symbol},
                customdata=[
                    [plain(row["source_point"]), plain(row["target_point"])] for row in own
                ],
                hovertemplate=(
                    "%{customdata[0]}<br>to %{customdata[1]}<br>error %{y:.3f}<extra></extra>"
                ),
            )
        )
    return figure


def seconds_chart(seconds: dict[str, float]) -> go.Figure:
    """Seconds of each step."""
    colour, _ = OUTPUTS[0]
    steps = list(seconds)[::-1]
    figure = go.Figure(
        go.Bar(
            x=[seconds[step] for step in steps],
            y=[plain(step) for step in steps],
            orientation="h",
            marker={"color": colour},
            hovertemplate="%{y}: %{x:.1f} s<extra></extra>",
        ),
        layout=layout("seconds", ""),
    )
    return figure.update_layout(height=60 + 45 * max(1, len(steps)), showlegend=False)
