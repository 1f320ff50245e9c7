"""How far a run is, on the terminal: one line a step, and a bar under it while it works."""

from types import TracebackType

from rich.console import Console as Terminal
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from netstitch.optimization import Budget
from netstitch.optimization import Progress as SearchProgress


class Console:
    """Reports a run's steps on stderr, so that stdout holds results only."""

    def __init__(self) -> None:
        self.terminal = Terminal(stderr=True)
        self._bars = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self.terminal,
            transient=True,
        )
        self._bar = self._bars.add_task("", total=None, visible=False, note="")

    def __enter__(self) -> "Console":
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def stage(self, text: str) -> None:
        """A new step begins."""
        self.terminal.print(text, style="bold", highlight=False)
        self._bars.reset(self._bar, description="", total=None, visible=False, note="")

    def told(self, text: str) -> None:
        """What the step found."""
        self.terminal.print(f"  {text}", highlight=False)

    def progress(self, done: int, total: int | None, text: str) -> None:
        """How far the step is."""
        self._bars.update(
            self._bar, completed=done, total=total, description=text, note="", visible=True
        )

    def searching(self, progress: SearchProgress, budget: Budget) -> None:
        """How far the search is: rate, time left, and the best so far."""
        shares = []
        if budget.evaluations:
            shares.append(progress.used / budget.evaluations)
        if budget.seconds:
            shares.append(progress.elapsed / budget.seconds)
        share = min(1.0, max(shares, default=0.0))
        left = progress.elapsed / share - progress.elapsed if share > 0 else 0.0
        best = "" if progress.best is None else f", best accuracy {progress.best[0]:.4f}"
        note = (
            f"{progress.evaluated:,} evaluated, {progress.skipped:,} known, "
            f"{progress.rate:.1f}/s, front {progress.archived}{best}, {left:.0f} s left"
        )
        self._bars.update(
            self._bar, completed=share, total=1.0, description="", note=note, visible=True
        )
