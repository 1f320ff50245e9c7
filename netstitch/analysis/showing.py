"""A front in a notebook: its table, and its figure."""

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netstitch.analysis.front import Front


def front_html(front: "Front") -> str:
    """The table of `Front.table` and the figure of `front_figure`, as HTML that needs no file."""
    # Imported here, since a front is data, and is read where nothing is drawn too.
    from netstitch.analysis.figure import front_svg

    if not front.points and not front.references:
        return "<p>The front is empty.</p>"
    head, *rows = front.table()
    used = [index for index in range(len(head)) if index == 0 or any(row[index] for row in rows)]
    cells = "".join(f"<th>{escape(head[index])}</th>" for index in used)
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(row[index])}</td>' for index in used)}</tr>" for row in rows
    )
    table = f"<table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table>"
    return f"{front_svg(front)}{table}"
