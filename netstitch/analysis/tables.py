"""Tables: of a front for the terminal and for notebooks, of text for papers."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from netstitch.analysis.front import Front

Rows = Sequence[Sequence[str]]
"""A header and rows below it."""

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def front_table(front: "Front", title: str | None = None) -> Table:
    """Return a table for the terminal: the reference networks, and the front below them.

    Accuracies on validation and test samples are in percent. Beside each stands its
    difference to the ensemble's, in percentage points, with the paired bootstrap interval. Columns
    without a value in any row are left out.
    """
    head, *rows = _filled(front)
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for index, heading in enumerate(head):
        # The table fits 100 columns when headers are no wider than the numbers under them.
        if len(heading) > max((len(row[index]) for row in rows), default=0):
            heading = heading.replace(" ", "\n")
        table.add_column(heading, justify="left" if index < 2 else "right", no_wrap=True)
    for number, row in enumerate(rows):
        last_reference = number == len(front.references) - 1
        table.add_row(*row, end_section=last_reference)
    return table


def front_html(front: "Front") -> str:
    """Return the table of `Front.table` and the figure of `front_figure` as HTML without files."""
    # Imported here, since a front is data, and is read where nothing is drawn too.
    from netstitch.analysis.front_figure import front_svg

    if not front.points and not front.references:
        return "<p>The front is empty.</p>"
    head, *rows = _filled(front)
    cells = "".join(f"<th>{escape(heading)}</th>" for heading in head)
    lines = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    table = f"<table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table>"
    return f"{front_svg(front)}{table}"


def _filled(front: "Front") -> list[list[str]]:
    """The rows of `Front.table` without the columns that have no value in any of them."""
    head, *rows = front.table()
    used = [index for index in range(len(head)) if index == 0 or any(row[index] for row in rows)]
    return [[row[index] for index in used] for row in (head, *rows)]


def markdown(rows: Rows) -> str:
    """Return a table of GitHub's Markdown; what would be markup in a cell is escaped."""
    head, *body = [[_markdown_cell(cell) for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def latex(rows: Rows, caption: str = "") -> str:
    """Return a table of LaTeX with booktabs' rules; the first column is left, others are right."""
    head, *body = [[_latex_cell(cell) for cell in row] for row in rows]
    lines = [
        r"\begin{table}",
        r"\centering",
        *([rf"\caption{{{_latex_cell(caption)}}}"] if caption else []),
        rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"\toprule",
        " & ".join(head) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in body),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _markdown_cell(text: str) -> str:
    escaped = "".join(f"\\{c}" if c in "\\`*_[]<>|" else c for c in text)
    return " ".join(escaped.split())


def _latex_cell(text: str) -> str:
    return " ".join("".join(_LATEX.get(c, c) for c in text).split())
