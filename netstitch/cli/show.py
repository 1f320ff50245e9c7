"""Printing what a command found, on stdout."""

from collections.abc import Iterable, Sequence
from statistics import median

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from netstitch.analysis import CascadePoint, Front, FrontPoint, front_table
from netstitch.analysis.front_choice import AnyPoint
from netstitch.analysis.hypervolume import REACH
from netstitch.cli.console import Terminal
from netstitch.costs import COSTS, MULTIPLY_ADDS
from netstitch.exporting import RECALIBRATED, Exported
from netstitch.matching import Matching
from netstitch.networks import Network
from netstitch.networks.graph import Graph
from netstitch.optimization.search_result import REASONS
from netstitch.report.choice_notes import choice_notes
from netstitch.report.compared_runs import Comparison
from netstitch.report.comparison_page import answer
from netstitch.report.comparison_tables import group_table, pair_table
from netstitch.runs.dry_run import NetworkCosts
from netstitch.runs.finetuned_point import Tuning
from netstitch.runs.finished import Finished
from netstitch.runs.protocol import Concluded
from netstitch.searching.sweep import Swept, best_of
from netstitch.text import command, counted
from netstitch.tuning import FineTuned, HeldOut

WIDEST = 400
"""The widest table, in characters."""


def show_run(finished: Finished) -> None:
    """Print the front, how the search went, and what was written."""
    terminal = Terminal()
    terminal.print()
    _print_whole(terminal, front_table(finished.front), folded=True)
    outcome = finished.outcome
    failed = f", {outcome.failed} failed" if outcome.failed else ""
    unchanged = f", {outcome.unchanged:,} of them unchanged" if outcome.unchanged else ""
    if len(outcome.sweep) > 1:
        terminal.print()
        terminal.print(_sweep_table(outcome.sweep))
    seconds = outcome.search_seconds
    rate = outcome.evaluations / seconds if seconds > 0 else 0.0
    terminal.print(
        f"\n{outcome.evaluations:,} networks evaluated in {seconds:.0f} s ({rate:.1f}/s, "
        f"workers idle {outcome.idle:.0%} of the time), {outcome.skipped:,} proposals were "
        f"known{unchanged}{failed}; the search ended since {REASONS[outcome.stopped]}.",
    )
    terminal.print(
        "Accuracies in percent, each beside its paired difference to the ensemble with the 95 % "
        f"bootstrap interval.{_of_cascades(finished.front)}\n",
    )
    _print_notes(terminal, finished.front)
    for name, what in (
        ("front.png", "the front as a figure"),
        ("front.csv", "and as a table, also front.json"),
        ("supernet", "networks and fitted stitches, for ns.load"),
        ("evaluations.sqlite", "every evaluation"),
        ("search.csv", "how many stitches were in use over time"),
    ):
        _path(terminal, str(finished.folder / name), what)
    _show_commands(terminal, finished)


def _show_commands(terminal: Terminal, finished: Finished) -> None:
    """Print what can be done with a run now."""
    folder, front, outcome = finished.folder, finished.front, finished.outcome
    _path(terminal, command("export", folder, "--point", "PK"), "writes network PK")
    if front.cascades:
        _path(terminal, command("export", folder, "--point", "CK"), "writes cascade CK")
    if outcome.stopped == "interrupted":
        _path(terminal, command("resume", folder), "goes on with the search")
    elif outcome.lacks_cascades:
        _path(terminal, command("resume", folder), "goes on with the cascades")
    if outcome.cascades is None:
        _path(terminal, command("cascade", folder), "finds cascades of what was evaluated")


def show_cascades(finished: Finished) -> None:
    """Print the front of a run whose cascades were found anew, and where it is."""
    terminal = Terminal()
    terminal.print()
    _print_whole(terminal, front_table(finished.front), folded=True)
    terminal.print()
    _print_notes(terminal, finished.front)
    for name in ("front.png", "front.csv"):
        _path(terminal, str(finished.folder / name), "with these cascades")
    _show_commands(terminal, finished)


def _print_notes(terminal: Terminal, front: Front) -> None:
    """Print how the front was chosen, a line of each sentence and one behind them."""
    notes = choice_notes(front)
    for note in notes:
        terminal.print(note)
    if notes:
        terminal.print()


def _of_cascades(front: Front) -> str:
    """Return the legend to the numbers of cascades; "" without cascades."""
    if not front.cascades:
        return ""
    return (
        " Cascades' mean costs, and the shares that stop at the first stage, are of "
        f"{front.parts[-1]} samples; minus plain is the difference to the plain cascade of the "
        "nearest mean cost. All are in front.csv, plain ones too."
    )


def show_comparison(comparison: Comparison) -> None:
    """Print the groups of runs, and each two of them."""
    terminal = Terminal()
    terminal.print(answer(comparison))
    part = comparison.parts[-1]
    tables = [group_table(comparison), pair_table(comparison, part, comparison.volume)]
    if comparison.cascades:
        tables.append(pair_table(comparison, part, comparison.volume_with_cascades))
    for head, *body in (table for table in tables if table):
        terminal.print()
        _print_whole(terminal, _table(head, body))
    for note in comparison.notes:
        terminal.print(note, soft_wrap=True)


def _sweep_table(swept: Sequence[Swept]) -> Table:
    """Return the table of population sizes and their results; the best is marked."""
    best = best_of(swept)
    rows = [
        (
            f"{one.population:,}",
            f"{one.hypervolume:.4f}",
            f"{one.evaluated:,}",
            f"{one.skipped:,}",
            "kept" if one is best else "",
        )
        for one in swept
    ]
    return _table(("population", "hypervolume", "evaluated", "known", ""), rows, left=0)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]], left: int = 1) -> Table:
    """Return a table of texts, of which the first `left` columns are aligned to the left."""
    table = Table(box=box.SIMPLE_HEAD)
    for index, head in enumerate(heads):
        table.add_column(Text(head), justify="left" if index < left else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _print_whole(terminal: Terminal, table: Table | Group, *, folded: bool = False) -> None:
    """Print a table in full, with lines that wrap where it is too wide: no number is cut short.

    With `folded`, columns that are not kept whole have words on several lines instead.
    """
    found = terminal.measure(table, options=terminal.options.update(max_width=WIDEST))
    needed = found.minimum if folded else found.maximum
    Terminal(width=max(terminal.width, needed)).print(table)


def show_export(exported: Exported, point: AnyPoint, front: Front) -> None:
    """Print which point of a front was written where, and how well each file agrees with it."""
    terminal = Terminal()
    costs = (
        _cascade_costs(point, front)
        if isinstance(point, CascadePoint)
        else _network_costs(point, front)
    )
    terminal.print(
        f"\n{point.label}: {costs}, validation accuracy "
        f"{100 * point.validation:.2f} %, {counted(point.stitches, 'stitch', 'stitches')}",
        soft_wrap=True,
    )
    recalibrated = exported.card.get(RECALIBRATED)
    if recalibrated is not None:
        change = (
            f"{recalibrated} batch norms behind stitches have new statistics: validation accuracy "
            f"{100 * exported.card['validation_recalibrated']:.2f} %"
            if recalibrated
            else "no batch norm stands behind a stitch: nothing to recalibrate, weights unchanged"
        )
        terminal.print(change, soft_wrap=True)
    for file in exported.files:
        _path(
            terminal,
            str(file.path),
            f"largest difference {file.difference.absolute:.1e}; {file.usage}",
        )


def show_accuracy(accuracy: float) -> None:
    """Print how an export does on test samples."""
    Terminal().print(f"  As exported, it gets {100 * accuracy:.2f} % of the test samples right.")


def _network_costs(point: FrontPoint, front: Front) -> str:
    named = front.cost_name == MULTIPLY_ADDS.name
    cost = "" if named else f"{_cost_in_words(point.cost)} {front.unit}, "
    return f"{cost}{point.multiply_adds:,} multiply-adds"


def _cost_in_words(cost: float) -> str:
    """Return a cost with its thousands apart: whole, or with six digits where it is small."""
    return f"{cost:,.0f}" if cost >= 1e5 else f"{cost:,.6g}"


def _cascade_costs(point: CascadePoint, front: Front) -> str:
    return (
        f"{', then '.join(point.outputs)}: mean cost {_cost_in_words(point.cost)} {front.unit}, "
        f"{_cost_in_words(point.worst_cost)} at worst"
    )


def show_tuning(tuning: Tuning) -> None:
    """Print what fine-tuning was worth, and where the network is."""
    rows = []
    for row in tuning.rows:
        between = row.difference
        interval = f" [{100 * between.low:+.2f}, {100 * between.high:+.2f}]" if between else ""
        change = f"{100 * (row.after - row.before):+.2f}{interval}"
        rows.append(
            (row.part, row.measure, f"{100 * row.before:.2f}", f"{100 * row.after:.2f}", change)
        )
    terminal = Terminal()
    terminal.print()
    heads = ("samples", "measure", "before", "after", "difference")
    _print_whole(terminal, _table(heads, rows, left=2))
    count = len(tuning.tuned.losses)
    terminal.print(
        f"{tuning.point.label}: {count:,} steps, {len(tuning.tuned.weights)} tensors trained. In "
        "percent, the difference with its paired 95 % bootstrap interval.\n",
    )
    if tuning.tuned.held_out is not None:
        kind = "cascade" if isinstance(tuning.point, CascadePoint) else "network"
        terminal.print(_learned(kind, tuning.tuned, tuning.tuned.held_out), soft_wrap=True)
    if isinstance(tuning.point, CascadePoint):
        costs = ", ".join(
            f"{_cost_in_words(cost)} ({on})" for on, cost in tuning.point.mean_costs.items()
        )
        limits = ", ".join(f"{one:.3g}" for one in tuning.point.cascade.thresholds)
        terminal.print(f"Thresholds now: {limits}. Mean costs: {costs}.\n", soft_wrap=True)
    for file in tuning.exported.files:
        _path(terminal, str(file.path), file.usage)


def _learned(kind: str, tuned: FineTuned, held_out: HeldOut) -> str:
    """Return words on the distance from the teacher before and after training, and on the rate."""
    best = (
        f"{held_out.before:.4g} nats before and {held_out.after:.4g} in the best state, which was "
        "kept"
        if held_out.after < held_out.before
        else f"{held_out.before:.4g} nats, and no state was better: the {kind} is as it was"
    )
    halved = (
        f"; training diverged, and the rate was halved {counted(tuned.halvings, 'time')}"
        if tuned.halvings
        else ""
    )
    samples = counted(held_out.samples, "sample")
    return f"Its outputs are from the teacher's, on {samples} held out: {best}{halved}.\n"


def show_protocol(concluded: Concluded) -> None:
    """Print a row for each algorithm, and what was written."""
    rows, cascades = [], any(run.cascades for run in concluded.runs)
    for one in concluded.compared:
        own = [run for run in concluded.runs if run.algorithm == one.name]
        volumes = (f"{volume:.4f}" for volume in (one.median, one.least, one.most))
        p = "best" if one.p is None else f"{one.p:.3f}"
        further: list[float | None] = [median(run.validation_over_worst for run in own)]
        if cascades:
            further.append(median(run.validation_with_cascades for run in own))
            known = [run.validation_plain_cascades for run in own]
            plain = [volume for volume in known if volume is not None]
            further.append(median(plain) if plain else None)
        told = ("" if volume is None else f"{volume:.4f}" for volume in further)
        rows.append((one.name, f"{own[0].population:,}", str(len(own)), *volumes, p, *told))
    terminal = Terminal()
    terminal.print()
    heads = ["algorithm", "population", "runs", "hypervolume", "least", "most", "p", "over worst"]
    heads += ["with cascades", "plain cascades"] if cascades else []
    _print_whole(terminal, _table(heads, rows))
    terminal.print(
        f"Medians over the runs, on validation samples, over accuracy {concluded.over.accuracy:g} "
        f"(over worst: that of the worst reference) and up to {REACH:g} times the ensemble's cost; "
        "p of a Mann-Whitney U test against the best, corrected for their number.\n",
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
    """Print a row for each match: module paths, operations and shapes in each network."""
    rows = [
        (
            str(number),
            *(
                "" if name is None else _point(network.graph, name)
                for network, name in zip(networks, match.points, strict=True)
            ),
        )
        for number, match in enumerate(matching)
    ]
    table = _table(("match", *(network.name for network in networks)), rows, left=len(networks) + 1)
    _print_whole(Terminal(), table, folded=True)


def show_dry_run(networks: Sequence[NetworkCosts]) -> None:
    """Print a row for each network and a subnetwork: their costs."""
    rows = []
    for network in networks:
        numbers = (*network.costs, network.points, network.stitches)
        rows.append((network.name, *("" if n is None else f"{n:,}" for n in numbers)))
    terminal = Terminal()
    terminal.print(_table(("network", *COSTS, "points", "stitches"), rows))
    terminal.print("Nothing was fitted, and nothing is written.")


def _point(graph: Graph, name: str) -> str:
    node = graph.by_name[name]
    operation = node.operation.split(".")[1] if "." in node.operation else node.operation
    sizes = "x".join(str(size) for size in (node.shape or ())[1:])
    return f"{node.path or '.'} {operation} {sizes}"


def _path(terminal: Terminal, path: str, what: str) -> None:
    terminal.print(Text.assemble(f"  {path}  ", (what, "dim")), soft_wrap=True)
