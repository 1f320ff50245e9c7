"""Write the API pages of all rooms, from what each room lists as public.

python docs/api_pages.py
"""

import importlib
import inspect
from pathlib import Path

import netstitch as ns

BEGINS, ENDS = "<!-- names -->\n", "\n<!-- end of names -->"
API = Path(__file__).parent / "api"

ROOMS = (
    "networks",
    "matching",
    "stitching",
    "fitting",
    "supernet",
    "exporting",
    "costs",
    "tasks",
    "optimization",
    "analysis",
    "evaluation",
    "tuning",
    "searching",
    "cascades",
    "experiments",
    "records",
    "report",
    "runs",
)
"""Those that are used from Python, in the order of the pipeline."""


def page(room: str) -> str:
    """Return a room's page: what it is for, and its functions, classes and types by name."""
    module = importlib.import_module(f"netstitch.{room}")
    title, _, text = (inspect.getdoc(module) or "").partition("\n")
    shown = [f"# {room.capitalize()}\n", f"`netstitch.{room}`. {title}\n", text.strip()]
    found = {name: getattr(module, name) for name in sorted(module.__all__)}
    functions = [each for each in found.values() if inspect.isfunction(each)]
    classes = [each for each in found.values() if inspect.isclass(each)]
    lines = [f"::: {each.__module__}.{each.__qualname__}\n" for each in (*functions, *classes)]
    return (
        "\n\n".join([*(part.strip() for part in shown if part), *(each.strip() for each in lines)])
        + "\n"
    )


def public_names() -> str:
    """Return the table of what `import netstitch as ns` gives, each with its room's page."""
    rows = ["| name | stands in |", "|---|---|"]
    for name in sorted(ns.__all__):
        found = getattr(ns, name)
        if not (inspect.isfunction(found) or inspect.isclass(found)):
            continue
        room = found.__module__.split(".")[1] if "." in found.__module__ else ""
        if room in ROOMS:
            anchor = f"{found.__module__}.{found.__qualname__}"
            rows.append(f"| `ns.{name}` | [{room}]({room}.md#{anchor}) |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Write every page, and the table of public names."""
    index = (API / "index.md").read_text()
    before, _, rest = index.partition(BEGINS)
    _, _, after = rest.partition(ENDS)
    (API / "index.md").write_text(f"{before}{BEGINS}\n{public_names()}{ENDS}{after}")
    for room in ROOMS:
        (API / f"{room}.md").write_text(page(room))


if __name__ == "__main__":
    main()
