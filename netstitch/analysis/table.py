"""The front as a table for the terminal."""

from rich import box
from rich.table import Table

from netstitch.analysis.front import Front


def front_table(front: Front, title: str | None = None) -> Table:
    """Reference networks above the front, by validation and test accuracy in percent.

    Beside each accuracy stands its difference to the ensemble's, in percentage points, with the
    paired bootstrap interval; columns without a value in any row are left out.
    """
    head, *rows = front.table()
    used = [index for index in range(len(head)) if index == 0 or any(row[index] for row in rows)]
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for index in used:
        heading = head[index]
        # The table fits 100 columns when headers are no wider than the numbers under them.
        if len(heading) > max((len(row[index]) for row in rows), default=0):
            heading = heading.replace(" ", "\n")
        table.add_column(heading, justify="left" if index < 2 else "right", no_wrap=True)
    for number, row in enumerate(rows):
        last_reference = number == len(front.references) - 1
        table.add_row(*(row[index] for index in used), end_section=last_reference)
    return table
