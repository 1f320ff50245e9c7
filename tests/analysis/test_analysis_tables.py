"""Tables for papers: what users name things is text in them."""

from netstitch.analysis.tables import latex, markdown

ROWS = [["group", "p"], ["a_b & 50% <x>", "0.01"], ["x|y", "$1"]]


def test_markdown() -> None:
    assert markdown(ROWS) == (
        "| group | p |\n| --- | --- |\n| a\\_b & 50% \\<x\\> | 0.01 |\n| x\\|y | $1 |\n"
    )


def test_latex() -> None:
    text = latex(ROWS, "100 %")
    assert r"a\_b \& 50\% \textless{}x\textgreater{} & 0.01 \\" in text
    assert r"x|y & \$1 \\" in text
    assert r"\begin{tabular}{lr}" in text
    assert r"\caption{100 \%}" in text
