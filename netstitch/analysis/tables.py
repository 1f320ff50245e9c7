"""Tables of text for papers and pages: Markdown and LaTeX."""

from collections.abc import Sequence

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


def markdown(rows: Rows) -> str:
    """A table of GitHub's Markdown; what would be markup in a cell is escaped."""
    head, *body = [[_markdown_cell(cell) for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def latex(rows: Rows, caption: str = "") -> str:
    """A table of LaTeX with booktabs' rules; the first column is left, others are right."""
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
