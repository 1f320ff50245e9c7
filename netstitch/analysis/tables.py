"""Tables: of a front for the terminal, of text for papers."""

from rich import box
from rich.table import Table

from netstitch.analysis.front import Front
from netstitch.analysis.front_rows import Rows, filled

_MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_[]<>|"})
_LATEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}"}
)


def front_table(front: Front, title: str | None = None) -> Table:
    """Return a table for the terminal: the reference networks, and the front below them.

    Accuracies on validation and test samples are in percent. Beside each stands its
    difference to the ensemble's, in percentage points, with the paired bootstrap interval. Columns
    without a value in any row are left out.
    """
    head, *rows = filled(front.table())
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for index, heading in enumerate(head):
        # The table fits 100 columns when headers are no wider than the numbers under them.
        if len(heading) > max((len(row[index]) for row in rows), default=0):
            heading = heading.replace(" ", "\n")
        table.add_column(heading, justify="left" if index < 2 else "right", no_wrap=True)
    for number, row in enumerate(rows):
        table.add_row(*row, end_section=number == len(front.references) - 1)
    return table


def markdown(rows: Rows) -> str:
    """Return a table of GitHub's Markdown; what would be markup in a cell is escaped."""
    head, *body = [[" ".join(cell.translate(_MARKDOWN).split()) for cell in row] for row in rows]
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
    return " ".join(text.translate(_LATEX).split())
