"""What a command found, on stdout."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from netstitch.analysis import FrontPoint, front_table
from netstitch.cli.console import Terminal
from netstitch.exporting import RECALIBRATED, Exported
from netstitch.matching import Matching
from netstitch.networks import Network
from netstitch.networks.graph import Graph
from netstitch.report.compared_runs import Comparison
from netstitch.report.comparison_page import answer, group_table, pair_table
from netstitch.runs.dry_run import Trial
from netstitch.runs.finetuned_point import Tuning
from netstitch.runs.protocol import Concluded
from netstitch.runs.run import Finished
from netstitch.searching.sweep import Swept
from netstitch.text import command

WIDEST = 400
"""Columns of text that a table may take."""


def show_run(finished: Finished) -> None:
    """The reference networks and the front, how the search went, and what was written."""
    terminal = Terminal()
    terminal.print()
    _print_whole(terminal, front_table(finished.front))
    result = finished.result
    ended = {
        "budget": "its budget was spent",
        "time": "its time was up",
        "patience": "nothing new was proposed any more",
        "converged": "it converged",
        "interrupted": "it was interrupted",
    }[result.stopped]
    failed = f", {result.failed} failed" if result.failed else ""
    if len(finished.sweep) > 1:
        terminal.print()
        terminal.print(_sweep_table(finished.sweep))
    rate = result.evaluated / result.elapsed if result.elapsed > 0 else 0.0
    terminal.print(
        f"\n{result.evaluated:,} networks evaluated in {result.elapsed:.0f} s ({rate:.1f}/s, "
        f"workers idle {result.idle:.0%} of the time), {result.skipped:,} proposals were "
        f"known{failed}; the search ended since {ended}.",
        highlight=False,
    )
    terminal.print(
        "Accuracies in percent, each beside its paired difference to the ensemble with the 95 % "
        "bootstrap interval.\n",
        highlight=False,
    )
    for name, what in (
        ("front.png", "the front as a figure"),
        ("front.csv", "and as a table, also front.json"),
        ("supernet", "networks and fitted stitches, for ns.load"),
        ("evaluations.sqlite", "every evaluation"),
        ("search.csv", "how many stitches were in use over time"),
    ):
        _path(terminal, str(finished.folder / name), what)
    _path(terminal, command("export", finished.folder, "--point", "K"), "writes network PK")
    if result.stopped == "interrupted":
        _path(terminal, command("resume", finished.folder), "goes on with the search")


def show_comparison(comparison: Comparison) -> None:
    """Groups, and every two of them."""
    terminal = Terminal()
    terminal.print(answer(comparison), highlight=False)
    tables = (group_table(comparison), pair_table(comparison, comparison.parts[-1]))
    for head, *body in (table for table in tables if table):
        table = Table(box=box.SIMPLE_HEAD)
        for index, title in enumerate(head):
            table.add_column(Text(title), justify="left" if index == 0 else "right")
        for row in body:
            table.add_row(*(Text(cell) for cell in row))
        terminal.print()
        _print_whole(terminal, table)
    for note in comparison.notes:
        terminal.print(note, highlight=False, soft_wrap=True)


def _sweep_table(swept: Sequence[Swept]) -> Table:
    """What each population size came to; the best is marked."""
    best = max(swept, key=lambda one: one.hypervolume)
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("population", "hypervolume", "evaluated", "known", ""):
        table.add_column(title, justify="right")
    for one in swept:
        table.add_row(
            f"{one.population:,}",
            f"{one.hypervolume:.4f}",
            f"{one.evaluated:,}",
            f"{one.skipped:,}",
            "kept" if one is best else "",
        )
    return table


def _print_whole(terminal: Terminal, table: Table) -> None:
    """Print a table in full: where it is too wide, lines go on in the next one.

    A number cut short would be a wrong one.
    """
    needed = terminal.measure(table, options=terminal.options.update(max_width=WIDEST)).maximum
    Terminal(width=max(terminal.width, needed)).print(table)


def show_export(exported: Exported, point: FrontPoint) -> None:
    """Which network was written where, and how well each file agrees with it."""
    terminal = Terminal()
    terminal.print(
        f"\n{point.label}: {point.multiply_adds:,} multiply-adds, validation accuracy "
        f"{100 * point.validation:.2f} %, {point.stitches} stitches",
        highlight=False,
    )
    recalibrated = exported.card.get(RECALIBRATED)
    if recalibrated is not None:
        change = (
            f"{recalibrated} batch norms behind stitches have new statistics: validation accuracy "
            f"{100 * exported.card['validation_recalibrated']:.2f} %"
            if recalibrated
            else "no batch norm stands behind a stitch: nothing to recalibrate, weights unchanged"
        )
        terminal.print(change, highlight=False, soft_wrap=True)
    for file in exported.files:
        _path(
            terminal,
            str(file.path),
            f"largest difference {file.difference.absolute:.1e}; {file.usage}",
        )


def show_tuning(tuning: Tuning) -> None:
    """What fine-tuning was worth, in one table, and where the network is."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("samples")
    table.add_column("measure")
    for head in ("before", "after", "difference"):
        table.add_column(head, justify="right")
    for row in tuning.rows:
        change = 100 * (row.after - row.before)
        between = row.difference
        interval = (
            f" [{100 * between.low:+.2f}, {100 * between.high:+.2f}]" if between is not None else ""
        )
        table.add_row(
            row.part,
            row.measure,
            f"{100 * row.before:.2f}",
            f"{100 * row.after:.2f}",
            f"{change:+.2f}{interval}",
        )
    terminal = Terminal()
    terminal.print()
    _print_whole(terminal, table)
    count = len(tuning.tuned.losses)
    terminal.print(
        f"{tuning.point.label}: {count:,} steps, {len(tuning.tuned.weights)} tensors trained. In "
        "percent, the difference with its paired 95 % bootstrap interval.\n",
        highlight=False,
    )
    for file in tuning.exported.files:
        _path(terminal, str(file.path), file.usage)


def show_protocol(concluded: Concluded) -> None:
    """A row for each algorithm, and what was written."""
    table = Table(box=box.SIMPLE_HEAD)
    for head in ("algorithm", "population", "runs", "hypervolume", "least", "most", "p"):
        table.add_column(head, justify="left" if head == "algorithm" else "right")
    for one in concluded.compared:
        own = [run for run in concluded.runs if run.algorithm == one.name]
        table.add_row(
            one.name,
            f"{own[0].population:,}",
            str(len(own)),
            f"{one.median:.4f}",
            f"{one.least:.4f}",
            f"{one.most:.4f}",
            "best" if one.p is None else f"{one.p:.3f}",
        )
    terminal = Terminal()
    terminal.print()
    _print_whole(terminal, table)
    terminal.print(
        "Medians over the runs, on validation samples; p of a Mann-Whitney U test against the "
        "best, corrected for their number.\n",
        highlight=False,
    )
    for name, what in (
        ("runs.csv", "every run, with its hypervolume on test samples"),
        ("fronts.png", "the fronts of all runs"),
        ("compared/compare.html", "convergence, attainment and tests, with figures beside it"),
    ):
        if not (concluded.folder / name).exists():
            continue
        _path(terminal, str(concluded.folder / name), what)


def show_matching(networks: Sequence[Network], matching: Matching) -> None:
    """A row for each match: module paths, operation and shape on both sides."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("match", justify="right")
    for network in networks:
        table.add_column(Text(network.name))
    for number, match in enumerate(matching):
        table.add_row(
            str(number),
            *(
                "" if name is None else _point(network.graph, name)
                for network, name in zip(networks, match.points, strict=True)
            ),
        )
    Terminal().print(table)


def show_trial(trial: Trial) -> None:
    """A row for each network: its cost, and that of a subnetwork."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("network")
    for head in ("multiply-adds", "parameters", "points", "stitches"):
        table.add_column(head, justify="right")
    for cost in trial.costs:
        numbers = (cost.multiply_adds, cost.parameters, cost.points, cost.stitches)
        table.add_row(Text(cost.name), *("" if n is None else f"{n:,}" for n in numbers))
    terminal = Terminal()
    terminal.print(table)
    terminal.print("Nothing was fitted, and nothing is written.")


def _point(graph: Graph, name: str) -> Text:
    node = graph.by_name[name]
    operation = node.operation.split(".")[1] if "." in node.operation else node.operation
    sizes = "x".join(str(size) for size in (node.shape or ())[1:])
    return Text(f"{node.path or '.'} {operation} {sizes}")


def _path(terminal: Terminal, path: str, what: str) -> None:
    terminal.print(Text.assemble(f"  {path}  ", (what, "dim")), soft_wrap=True)
