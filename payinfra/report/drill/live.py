"""A drill while it runs: a live view on a terminal, plain lines anywhere else."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import assert_never

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from payinfra.drill.model import DrillEvent, Mark, Phase, PhaseBegan, PhaseEnded, Snapshot, Tell
from payinfra.report import log
from payinfra.report.drill.history import sparkline
from payinfra.report.formats import LogFormat
from payinfra.report.printable import visible

WINDOW_S = 40
"""How many seconds back the view shows what each region acknowledged, a character a second."""
PLAIN_EVERY_S = 10.0
"""How often a pipe gets a line about the payments."""
FAILED = "failed"
"""The row of attempts that failed, among those of the regions."""
_WIDTH = max(len(phase.value) for phase in Phase)


@dataclass
class DrillProgress:
    """What the events so far come to. Events come from several threads.

    Args:
        clock: seconds, of any beginning.
    """

    clock: Callable[[], float] = time.monotonic
    under_way: dict[Phase, PhaseBegan] = field(default_factory=dict)
    now: Snapshot | None = None
    led_since_s: float = 0.0
    rates: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    _ahead_s: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, event: DrillEvent) -> None:
        """Follow one event."""
        with self._lock:
            # An event may tell of a moment that is past, but of none that is to come.
            ahead_s = event.at_s - self.clock()
            self._ahead_s = ahead_s if self._ahead_s is None else max(self._ahead_s, ahead_s)
            match event:
                case PhaseBegan():
                    self.under_way[event.phase] = event
                case PhaseEnded():
                    self.under_way.pop(event.phase, None)
                case Snapshot():
                    self._count(event)
                case Mark():
                    pass
                case _:
                    assert_never(event)

    @property
    def at_s(self) -> float:
        """The drill's time now."""
        return 0.0 if self._ahead_s is None else self.clock() + self._ahead_s

    def seen(self) -> "DrillProgress":
        """A copy that no event changes any more."""
        with self._lock:
            copy = DrillProgress(self.clock, dict(self.under_way), self.now, self.led_since_s)
            copy.rates.update({region: defaultdict(int, counts) for region, counts in self.rates.items()})
            copy._ahead_s = self._ahead_s
            return copy

    def _count(self, snapshot: Snapshot) -> None:
        before = self.now
        if before is None or before.leads_to != snapshot.leads_to:
            self.led_since_s = snapshot.at_s
        totals = {**snapshot.by_region, FAILED: snapshot.failures}
        known = {} if before is None else {**before.by_region, FAILED: before.failures}
        for name, total in totals.items():
            counts = self.rates[name]
            counts[int(snapshot.at_s)] += total - known.get(name, 0)
            for second in [second for second in counts if second < snapshot.at_s - WINDOW_S - 1]:
                del counts[second]
        self.now = snapshot


# -- lines -------------------------------------------------------------------------------------------------


def line_for(event: DrillEvent) -> Text | None:
    """The lasting line that an event leaves, or None where it leaves none."""
    match event:
        case PhaseEnded(phase=phase, seconds=seconds, detail=detail, failed=failed):
            return Text.assemble(
                ("✗ ", "red") if failed else ("✓ ", "green"),
                f"{phase.value:<{_WIDTH}}",
                (f"{seconds:7.1f} s", "dim"),
                f"  {visible(detail)}" if detail else "",
            )
        case Mark(at_s=at_s, what=what):
            return Text.assemble(("· ", "cyan"), (f"{at_s:7.1f} s  ", "dim"), visible(what))
        case PhaseBegan() | Snapshot():
            return None
        case _:
            assert_never(event)


def said(snapshot: Snapshot) -> str:
    """A snapshot in one sentence."""
    counts = "".join(f"{region} {count}, " for region, count in snapshot.by_region.items())
    return visible(
        f"acknowledged by {counts}{snapshot.failures} failed, {snapshot.in_flight} in flight; "
        f"the name leads to {snapshot.leads_to or 'nothing'}"
    )


# -- a pipe ------------------------------------------------------------------------------------------------


@contextmanager
def plain(console: Console) -> Iterator[Tell]:
    """A line for each phase, for what happens, and now and then for the payments."""
    lock = threading.Lock()
    due_s = 0.0

    def tell(event: DrillEvent) -> None:
        nonlocal due_s
        line = line_for(event)
        with lock:
            match event:
                case PhaseBegan(phase=phase, predicted_s=predicted_s):
                    about = "" if predicted_s is None else f" (about {predicted_s:.0f} s)"
                    line = Text(f"> {phase.value}{about}")
                case Snapshot(at_s=at_s) if at_s >= due_s:
                    due_s = at_s + PLAIN_EVERY_S
                    line = Text(f"  {at_s:7.1f} s  {said(event)}")
                case _:
                    pass
            if line is not None:
                console.print(line, soft_wrap=True)

    yield tell


# -- a terminal --------------------------------------------------------------------------------------------


class DrillView:
    """Draws a `Board` anew whenever rich asks, so that the clocks in it go on."""

    def __init__(self, board: DrillProgress) -> None:
        self.board = board
        self._spinner = Spinner("dots", style="cyan")

    def __rich__(self) -> RenderableType:
        board = self.board.seen()
        parts: list[RenderableType] = [self._phase(began, board.at_s) for began in board.under_way.values()]
        if board.now is not None:
            parts += [Text(""), _regions(board, board.now), _totals(board, board.now)]
        return Group(*parts)

    def _phase(self, began: PhaseBegan, at_s: float) -> RenderableType:
        row = Table.grid(padding=(0, 1))
        ran = at_s - began.at_s
        cells: list[RenderableType] = [
            self._spinner,
            Text(f"{began.phase.value:<{_WIDTH}}", style="bold"),
            Text(f"{ran:6.1f} s", style="dim"),
        ]
        if began.predicted_s:
            late = ran > began.predicted_s
            cells += [
                ProgressBar(
                    total=began.predicted_s,
                    completed=min(ran, began.predicted_s),
                    width=20,
                    finished_style="yellow",
                ),
                Text(f"predicted {began.predicted_s:.1f} s", style="yellow" if late else ""),
            ]
        row.add_row(*cells)
        return row


def _regions(board: DrillProgress, now: Snapshot) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    last = int(now.at_s)
    window = range(last - WINDOW_S, last)
    # One scale for all, or a trickle would look like the whole load.
    most = max((counts[second] for counts in board.rates.values() for second in window), default=0)
    for name, total in (*now.by_region.items(), (FAILED, now.failures)):
        recent = [board.rates[name][second] for second in window]
        leads, good = name == now.leads_to, name != FAILED
        rows.add_row(
            Text("→" if leads else " ", style="bold cyan"),
            Text(visible(name), style="bold" if leads else ""),
            Text(sparkline(recent, most), style="green" if good else "red"),
            Text(f"{total:6}{' acknowledged' if good else ''}", style="" if total else "dim"),
        )
    return rows


def _totals(board: DrillProgress, now: Snapshot) -> Text:
    since = f" since {board.at_s - board.led_since_s:.0f} s"
    where = visible(now.leads_to) or "nothing"
    return Text.assemble(
        f"   in flight {now.in_flight}   the name leads to ",
        (where, "bold" if now.leads_to else "bold red"),
        (since, "dim"),
    )


@contextmanager
def live(console: Console) -> Iterator[Tell]:
    """A view that is redrawn in place, with a lasting line for each phase that ended and what happened."""
    board = DrillProgress()
    with Live(DrillView(board), console=console, refresh_per_second=8, transient=True) as display:

        def tell(event: DrillEvent) -> None:
            board.take(event)
            if (line := line_for(event)) is not None:
                display.console.print(line)

        yield tell


def watching(console: Console) -> AbstractContextManager[Tell]:
    """JSON lines where they are asked for, a live view on a terminal that can show one, else plain lines.

    Nothing where the person wants quiet.
    """
    if log.is_quiet():
        return nullcontext(lambda _event: None)
    if log.log_format() is LogFormat.JSON:
        return nullcontext(log.JsonLines().happened)
    return live(console) if console.is_terminal and not console.is_dumb_terminal else plain(console)
