"""A run as one page of HTML that needs nothing else: no network, no file beside it."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from netstitch.analysis.front_chart import Floor, accuracy_floor
from netstitch.drawing.lanes import STYLE
from netstitch.drawing.plotly_chart import interactive
from netstitch.files.folders import write_text
from netstitch.records.run_record import RunRecord
from netstitch.report.cascade_sections import ShownCascade, shown_cascades
from netstitch.report.network_sections import ShownNetwork, shown_networks
from netstitch.report.point_table import columns_of
from netstitch.report.report_sections import ReportSection, sections_of
from netstitch.report.run_charts import cloud_of
from netstitch.report.summary import answer, named_cascade, notes, table_text, versions
from netstitch.version import VERSION

_FRONT_TEXT = (
    "Each mark is a network: the further up, the more often it is right, the further left, the "
    "cheaper it is. The line bounds what the front dominates. Crosses are the networks that went "
    "in, and their ensemble; in a shaded region a network costs no more than one of these and is "
    "as accurate."
)
_BOTH_TEXT = (
    "Each mark is a network or a cascade: the further up, the more often it is right, the further "
    "left, the cheaper it is, a cascade in the mean over the samples shown. A network costs the "
    "same for each sample: look at these where there is a deadline. Each line bounds what one kind "
    "dominates; plain cascades are what the networks that went in give without stitches, alone or "
    "with exits. Crosses are these networks, and their ensemble; in a shaded region something "
    "costs no more than one of these and is as accurate."
)


def write_page(run: RunRecord, path: Path, *, floor: Floor = "tenth") -> None:
    """Write the report of a run as a file of HTML.

    The floor is the accuracy from which the front is shown first, and over which hypervolumes count
    beside those over the worst reference network's: "tenth" is that rounded down to a multiple of
    0.1 (the paper's section 7), "tight" lies just under the references, or a number.

    Raises:
        StorageError: The file cannot be written.
        DataError: The floor is none.
    """
    write_text(path, page(run, floor=floor))


def page(run: RunRecord, *, floor: Floor = "tenth") -> str:
    """Return the report of a run as HTML; see `write_page`."""
    charts: dict[str, object] = {}
    context = _front(run, floor, charts)
    return _rendered(
        "page.html",
        charts,
        sections_of(run, floor),
        **context,
        name=run.name,
        answer=answer(run),
        notes=notes(run),
        footer=str(run.folder),
        versions=versions(run),
        config=json.dumps(run.document.config_of_front, indent=2, ensure_ascii=False),
    )


def render_sections(
    *, name: str, answer: str, notes: Sequence[str], sections: Sequence[ReportSection], footer: str
) -> str:
    """Return a page of sections alone: title, answer, notes, these, and from what it was made."""
    context: dict[str, Any] = {"name": name, "answer": answer, "notes": notes, "footer": footer}
    return _rendered("page.base.html", {}, sections, first="", **context)


def _rendered(
    template: str,
    charts: dict[str, object],
    sections: Sequence[ReportSection],
    *,
    networks: Mapping[str, str] | None = None,
    **context: object,
) -> str:
    """Return a page with sections, whose charts are added to `charts`."""
    for section in sections:
        for index, chart in enumerate(section.charts.values()):
            charts[f"{section.name}-{index}"] = _chart_data(interactive(chart))
    return _template(template).render(
        context,
        sections=sections,
        version=VERSION,
        css=f"{_file('page.css')}\n{STYLE}",
        script=_file("page.js"),
        plotly=get_plotlyjs(),
        charts=_json(charts),
        details=_json(networks or {}),
    )


def _front(run: RunRecord, floor: Floor, charts: dict[str, object]) -> dict[str, Any]:
    """Return the charts of the front, the networks one by one, and the table of them."""
    front = run.front
    networks, cascades = shown_networks(run), shown_cascades(run)
    if not networks:
        return {"fronts": [], "networks": {}, "rows": [], "first": ""}
    parts = front.parts
    ceiling = max(point.cost_on(part) for point in front.everything for part in parts)
    shown: list[ShownNetwork | ShownCascade] = [*networks, *cascades]
    fronts = _front_charts(run, {each.label: each.words for each in shown}, ceiling, charts)
    floors: dict[str, Floor] = {
        "the worst reference, rounded down to a tenth": "tenth",
        "just under the references": "tight",
    }
    if floor not in floors.values():
        floors = {str(floor): floor, **floors}
    base = front.references or front.points
    choices = [
        {"name": name, "value": accuracy_floor(base, parts, each), "chosen": each == floor}
        for name, each in floors.items()
    ]
    # What there is to see first is a cascade, or a stitched network from the middle of the front.
    stitched = [point for point in front.points if point.stitches]
    several = stitched or front.points or front.networks
    first = named_cascade(front) if front.cascades else several[len(several) // 2]
    article = _template("page.network.html")
    return {
        "fronts": fronts,
        "floors": [*choices, {"name": "0", "value": 0.0, "chosen": False}],
        "front_text": _BOTH_TEXT if cascades else _FRONT_TEXT,
        "networks": {each.label: article.render(network=each) for each in networks}
        | {each.label: _cascade(each, charts) for each in cascades},
        "columns": columns_of(front),
        "rows": shown,
        "both": bool(cascades),
        "cost": front.cost_name,
        "table_text": table_text(run),
        "placeholder": run.structure.names[0],
        "first": first.label,
    }


def _front_charts(
    run: RunRecord, words: Mapping[str, str], ceiling: float, charts: dict[str, object]
) -> list[dict[str, str]]:
    """Add the front's charts, up to a cost, and return what tells of them on the page."""
    front = run.front
    highest = max(
        a for p in front.everything for part in front.parts if (a := p.accuracy(part)) is not None
    )
    cloud = cloud_of(run.evaluations, ceiling).tolist()
    # What the search saw are accuracies, or else no places on these charts.
    scored_on = "validation" if run.scored in (front.objective, front.measure) else None
    fronts = []
    for part in front.parts:
        chart = front.chart(part, words, cloud if part == scored_on else ())
        name, title = f"front-{part}", f"On {part} samples"
        limits = {"top": highest, "right": 1.12 * ceiling}
        charts[name] = _chart_data(interactive(chart)) | limits
        label = f"{title}: {front.measure} against {front.cost_name}; the table below has the"
        fronts.append({"id": name, "title": title, "label": f"{label} numbers"})
    return fronts


def _cascade(shown: ShownCascade, charts: dict[str, object]) -> str:
    """Return a cascade as HTML, and add the chart of its thresholds."""
    curve = f"curve-{shown.label}"
    if shown.curve is not None:
        drawn = _chart_data(interactive(shown.curve.chart))
        charts[curve] = drawn | {"told": shown.curve.told}
    return _template("page.cascade.html").render(cascade=shown, curve=curve)


def _chart_data(figure: go.Figure) -> dict[str, object]:
    data: dict[str, Any] = json.loads(figure.to_json())
    data["layout"].pop("template", None)
    return data


def _json(data: Mapping[str, object]) -> str:
    """Return JSON that can stand in a script element whatever its texts are."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_file),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _file(name: str) -> str:
    return files("netstitch.report").joinpath(name).read_text(encoding="utf-8")
