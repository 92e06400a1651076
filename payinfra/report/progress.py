"""The conversation on stderr while stages run: a live view on a terminal, plain lines anywhere else."""

import time
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

from payinfra.core.events import (
    Action,
    Emit,
    Event,
    Notice,
    ResourceFailed,
    ResourceFinished,
    ResourceStarted,
    StageFinished,
    StageSkipped,
    StageStarted,
    ignore,
)
from payinfra.core.project_folder import with_project
from payinfra.report import log
from payinfra.report.folding import FoldedText
from payinfra.report.formats import LogFormat
from payinfra.report.printable import visible_lines

SHOWN_IN_PROGRESS = 8
"""How many resources in progress the live view lists; the rest are counted."""

_MARK = len("· ")

_DOING = {
    Action.CREATE: "creating",
    Action.UPDATE: "updating",
    Action.REPLACE: "replacing",
    Action.DELETE: "deleting",
    Action.READ: "reading",
}
_DONE = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
    Action.READ: "read",
}


@dataclass
class Progress:
    """What the events so far come to. Times are in seconds of the clock that is passed in."""

    clock: Callable[[], float] = time.monotonic
    stage: str | None = None
    stage_began: float = 0.0
    total: int | None = None
    done: int = 0
    under_way: dict[str, tuple[Action, float]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Follow one event."""
        match event:
            case StageStarted(stage=stage, total=total):
                self.stage, self.stage_began, self.total, self.done = stage, self.clock(), total, 0
                self.under_way.clear()
            case StageFinished() | StageSkipped():
                self.stage = None
                self.under_way.clear()
            case ResourceStarted(address=address, action=action):
                self.under_way[address] = (action, self.clock())
            case ResourceFinished(address=address):
                self.under_way.pop(address, None)
                self.done += 1
            case ResourceFailed(address=address):
                self.under_way.pop(address, None)
            case Notice():
                pass
            case _:
                assert_never(event)


def line_for(event: Event) -> Text | None:
    """The lasting line that an event leaves, or None where it leaves none."""
    match event:
        case StageStarted():
            return None
        case StageFinished(stage=stage, seconds=seconds, detail=detail):
            return Text.assemble(
                ("✓ ", "green"), f"{stage:<8}", (f"{seconds:6.1f} s", "dim"), f"  {detail}" if detail else ""
            )
        case StageSkipped(stage=stage, reason=reason):
            return Text.assemble(("- ", "yellow"), f"{stage:<8}", (f"{'':8}  {reason}", "dim"))
        case ResourceFailed(address=address, action=action):
            return Text.assemble(("✗ ", "red"), f"{_DOING[action]} {address} failed")
        case Notice(message=message):
            return Text.assemble(("· ", "cyan"), visible_lines(with_project(message)))
        case ResourceStarted() | ResourceFinished():
            return None
        case _:
            assert_never(event)


@dataclass(frozen=True)
class ProgressWatch:
    """A view of what happens: `emit` tells it, and inside `paused()` the terminal is free for a question."""

    emit: Emit
    paused: Callable[[], AbstractContextManager[None]] = nullcontext


@contextmanager
def plain(console: Console) -> Iterator[ProgressWatch]:
    """A line for each thing that ended, for logs and pipes, with how many there are of how many."""
    progress = Progress()

    def emit(event: Event) -> None:
        progress.take(event)
        line = line_for(event)
        match event:
            case StageStarted(stage=stage, total=total):
                line = Text(f"> {stage}" + (f" ({total} resources)" if total else ""))
            case ResourceFinished(address=address, action=action, seconds=seconds) if (
                action is not Action.READ  # nobody waits for what is only looked at
            ):
                counted = f", {progress.done} of {progress.total}" if progress.total else ""
                line = Text(f"  {_DONE[action]} {address} ({seconds:.0f} s{counted})")
            case _:
                pass
        if line is not None:
            console.print(line, soft_wrap=True)

    yield ProgressWatch(emit)


class ProgressView:
    """Draws a `Progress` anew whenever rich asks, so that the clocks in it go on."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._spinner = Spinner("dots", style="cyan")

    def __rich__(self) -> RenderableType:
        progress = self.progress
        if progress.stage is None:
            return Text("")
        now = progress.clock()
        head = Table.grid(padding=(0, 1))
        cells: list[RenderableType] = [
            self._spinner,
            Text(f"{progress.stage:<7}", style="bold"),
            Text(f"{now - progress.stage_began:6.1f} s", style="dim"),
        ]
        if progress.total:
            cells += [
                ProgressBar(total=progress.total, completed=progress.done, width=30),
                Text(f"{progress.done} of {progress.total} resources"),
            ]
        elif progress.done:
            cells.append(Text(f"{progress.done} done", style="dim"))
        head.add_row(*cells)
        oldest = sorted(progress.under_way.items(), key=lambda item: item[1][1])
        rows = Table.grid(padding=(0, 1))
        for address, (action, began) in oldest[:SHOWN_IN_PROGRESS]:
            rows.add_row(
                "   ",
                Text(f"{now - began:4.0f} s", style="dim"),
                Text(f"{_DOING[action]} {address}", overflow="ellipsis", no_wrap=True),
            )
        if (hidden := len(oldest) - SHOWN_IN_PROGRESS) > 0:
            rows.add_row("", "", Text(f"and {hidden} more", style="dim"))
        return Group(head, rows)


@contextmanager
def live(console: Console) -> Iterator[ProgressWatch]:
    """A view that is redrawn in place, with a lasting line for each stage that ended."""
    progress = Progress()
    with Live(ProgressView(progress), console=console, refresh_per_second=8, transient=True) as display:

        def emit(event: Event) -> None:
            progress.take(event)
            if (line := line_for(event)) is not None:
                display.console.print(FoldedText(line, _MARK), soft_wrap=True)

        @contextmanager
        def paused() -> Iterator[None]:
            display.stop()
            yield
            display.start()

        yield ProgressWatch(emit, paused)


def watching(console: Console) -> AbstractContextManager[ProgressWatch]:
    """JSON lines where they are asked for, a live view on a terminal that can show one, else plain lines.

    Nothing where the person wants quiet.
    """
    if log.is_quiet():
        return nullcontext(ProgressWatch(ignore))
    if log.log_format() is LogFormat.JSON:
        return nullcontext(ProgressWatch(log.JsonLines().event))
    return live(console) if console.is_terminal and not console.is_dumb_terminal else plain(console)


def notices(console: Console) -> Emit:
    """Report notices, and nothing of stages: for commands that have a view of their own."""
    if log.is_quiet():
        return ignore

    def emit(event: Event) -> None:
        if not isinstance(event, Notice):
            return
        if log.log_format() is LogFormat.JSON:
            log.JsonLines().event(event)
        elif (line := line_for(event)) is not None:
            console.print(FoldedText(line, _MARK), soft_wrap=True)

    return emit
