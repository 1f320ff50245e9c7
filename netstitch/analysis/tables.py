"""Tables: of a front for the terminal, of text for papers."""

from collections.abc import Collection
from typing import Literal

from rich import box
from rich.console import Group
from rich.table import Table

from netstitch.analysis.cascade_rows import STAGES
from netstitch.analysis.front import Front
from netstitch.analysis.front_rows import Rows, filled
from netstitch.text import unbroken

_MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]<>|"})
_LATEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}"}
)


def front_table(front: Front) -> Group:
    """Return tables for the terminal: references and networks, and cascades below where some are.

    Of many cascades a dozen are there, see `Front.cascade_table`. Accuracies are in percent. Beside
    each network's stands its difference to the ensemble's, in percentage points, with the paired
    bootstrap interval. Columns without a value in any row are left out.
    """
    networks = _table(front.table(), [len(front.references)])
    if not front.cascades:
        return Group(networks)
    rows = front.cascade_table(short=True)
    cascades = _table(rows, [], STAGES)
    if len(rows) - 1 < len(front.cascades):
        told = f"{len(rows) - 1} of {len(front.cascades)} cascades"
        return Group(networks, "", cascades, told)
    return Group(networks, "", cascades)


def _table(rows: Rows, sections: Collection[int], wrapped: str = "") -> Table:
    """Return a table with a line behind so many rows; words of one column may be on more lines."""
    head, *body = filled(rows)
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for index, heading in enumerate(head):
        justify: Literal["left", "right"] = "left" if index < 2 else "right"
        if heading == wrapped:
            table.add_column(heading, justify=justify)
            continue
        # The table fits 100 columns when headers are no wider than the numbers under them.
        widest = max((len(row[index]) for row in body), default=0)
        if len(heading) > widest:
            heading = heading.replace(" ", "\n")
        widest = max(widest, *map(len, heading.split("\n")))
        table.add_column(heading, justify=justify, min_width=widest, no_wrap=True)
    for number, row in enumerate(body, start=1):
        table.add_row(*row, end_section=number in sections)
    return table


def markdown(rows: Rows) -> str:
    """Return a table of GitHub's Markdown; what would be markup in a cell is escaped."""
    head, *body = [[unbroken(cell.translate(_MARKDOWN)) for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def latex(rows: Rows, caption: str = "") -> str:
    """Return a table of LaTeX with booktabs' rules; the first column is left, others are right."""
    head, *body = [" & ".join(map(_latex_cell, row)) + r" \\" for row in rows]
    lines = [
        r"\begin{table}",
        r"\centering",
        *([rf"\caption{{{_latex_cell(caption)}}}"] if caption else []),
        rf"\begin{{tabular}}{{l{'r' * (len(rows[0]) - 1)}}}",
        *(r"\toprule", head, r"\midrule", *body, r"\bottomrule"),
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_cell(text: str) -> str:
    return unbroken(text.translate(_LATEX))
