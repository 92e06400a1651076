"""The view of a drill: plain lines in a pipe, a live picture on a terminal."""

import json
import threading
from collections import UserDict
from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from payinfra.drill.model import DrillEvent, Mark, Phase, PhaseBegan, PhaseEnded, Snapshot
from payinfra.report.drill.history import sparkline
from payinfra.report.drill.live import WINDOW_S, DrillProgress, DrillView, live, plain, watching

EAST, WEST = "us-east-1", "us-west-2"


def seen(at_s: float, east: int, west: int, failures: int = 0, leads_to: str = EAST) -> Snapshot:
    return Snapshot(at_s, {EAST: east, WEST: west}, failures, 1, leads_to)


STORY: tuple[DrillEvent, ...] = (
    PhaseBegan(Phase.LOCK, 0.0),
    PhaseEnded(Phase.LOCK, 0.1, 0.1),
    PhaseBegan(Phase.LOAD, 0.1, 10.0),
    seen(0.5, 1, 0),
    seen(1.0, 4, 0),
    PhaseEnded(Phase.LOAD, 10.2, 10.1, "50 payments acknowledged"),
    Mark(10.3, "lambda-throttle: injected\x1b[2J"),
    seen(10.5, 50, 0, failures=2),
    seen(21.0, 50, 7, failures=12, leads_to=""),
    PhaseEnded(Phase.RESTORE, 40.0, 15.6, "no answer", failed=True),
)


def terminal(width: int = 100) -> tuple[Console, StringIO]:
    file = StringIO()
    return Console(file=file, force_terminal=True, width=width, _environ={"TERM": "xterm"}), file


def drawn(board: DrillProgress, width: int = 100) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(DrillView(board))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


class TestPipe:
    """Where there is no terminal."""

    def test_each_phase_each_moment_and_now_and_then_the_payments(
        self, console: Console, printed: Callable[[], str]
    ) -> None:
        with plain(console) as tell:
            for event in STORY:
                tell(event)
        assert printed().splitlines() == [
            "> lock",
            "✓ lock                      0.1 s",
            "> load (about 10 s)",
            "      0.5 s  acknowledged by us-east-1 1, us-west-2 0, 0 failed, 1 in flight; "
            "the name leads to us-east-1",
            "✓ load                     10.1 s  50 payments acknowledged",
            "·    10.3 s  lambda-throttle: injected\\x1b[2J",
            "     10.5 s  acknowledged by us-east-1 50, us-west-2 0, 2 failed, 1 in flight; "
            "the name leads to us-east-1",
            "     21.0 s  acknowledged by us-east-1 50, us-west-2 7, 12 failed, 1 in flight; "
            "the name leads to nothing",
            "✗ restore                  15.6 s  no answer",
        ]

    def test_a_long_line_is_not_folded(self, printed: Callable[[], str], console: Console) -> None:
        with watching(console) as tell:
            tell(Mark(1.0, "x" * 300))
        assert len(printed().splitlines()) == 1


class TestPicture:
    """What a terminal shows between the lines."""

    def at(self, now: Callable[[], float], *events: DrillEvent) -> DrillProgress:
        board = DrillProgress(clock=now)
        for event in events:
            board.take(event)
        return board

    def test_before_anything_happened_it_is_empty(self) -> None:
        board = DrillProgress()
        assert drawn(board).strip() == ""
        assert board.at_s == 0.0

    def test_a_phase_has_its_clock_and_its_prediction(self) -> None:
        now = 1000.0
        board = self.at(lambda: now, PhaseBegan(Phase.UNHEALTHY, 18.0, 31.0))
        now = 1012.5
        picture = drawn(board)
        assert "health check unhealthy" in picture
        assert "12.5 s" in picture
        assert "predicted 31.0 s" in picture

    def test_a_phase_without_prediction_has_its_clock_only(self) -> None:
        picture = drawn(self.at(lambda: 5.0, PhaseBegan(Phase.RECONCILE, 18.0)))
        assert "0.0 s" in picture
        assert "predicted" not in picture

    def test_a_phase_that_ended_is_gone_and_one_beside_it_stays(self) -> None:
        board = self.at(
            lambda: 0.0,
            PhaseBegan(Phase.LOAD, 0.0),
            PhaseBegan(Phase.INJECT, 1.0),
            PhaseEnded(Phase.LOAD, 2.0, 2.0),
            PhaseEnded(Phase.RESTORE, 2.0, 2.0),
        )
        picture = drawn(board)
        assert "inject" in picture
        assert "load" not in picture

    def test_the_clock_goes_on_and_never_back(self) -> None:
        now = 100.0
        board = self.at(lambda: now, PhaseBegan(Phase.SERVING, 50.0))
        now = 103.0
        board.take(PhaseEnded(Phase.SWITCHED, 47.0, 1.0))
        assert board.at_s == 53.0
        now = 104.0
        assert board.at_s == 54.0

    def test_regions_failures_and_where_the_name_leads(self) -> None:
        now = 0.0
        board = DrillProgress(clock=lambda: now)
        for second in range(1, 21):
            now = float(second)
            served = (5 * second, 0, 0, EAST) if second <= 10 else (50, 5 * (second - 10), 5, WEST)
            east, west, failures, leads = served
            board.take(seen(float(second), east, west, failures, leads))
        now = 23.0
        lines = drawn(board).splitlines()
        (east_line,) = [line for line in lines if EAST in line and "acknowledged" in line]
        (west_line,) = [line for line in lines if WEST in line and "acknowledged" in line]
        assert "50 acknowledged" in east_line
        assert "50 acknowledged" in west_line
        assert west_line.startswith("→")
        assert not east_line.startswith("→")
        assert east_line.count("█") == 10
        assert west_line.count("█") == 9
        (failed_line,) = [line for line in lines if "failed" in line]
        assert failed_line.split()[-1] == "5"
        assert failed_line.count("█") == 1
        assert "   in flight 1   the name leads to us-west-2 since 12 s" in lines[-1]

    def test_without_an_answer_the_name_leads_to_nothing(self) -> None:
        assert "leads to nothing" in drawn(self.at(lambda: 1.0, seen(1.0, 0, 0, leads_to="")))

    def test_a_mark_changes_no_picture(self) -> None:
        assert drawn(self.at(lambda: 1.0, Mark(1.0, "hm"))).strip() == ""

    def test_it_remembers_no_more_than_it_shows(self) -> None:
        board = DrillProgress(clock=lambda: 0.0)
        for second in range(4000):
            board.take(seen(float(second), second, 0))
        assert len(board.rates[EAST]) <= WINDOW_S + 2

    def test_a_picture_waits_until_an_event_is_followed(self) -> None:
        board, waited = DrillProgress(), []

        class Counted(UserDict[str, int]):
            """Has a picture drawn while it is read, which must not be of half an event."""

            def __getitem__(self, region: str) -> int:
                drawing = threading.Thread(target=board.seen)
                drawing.start()
                drawing.join(0.02)
                waited.append(drawing.is_alive())
                return super().__getitem__(region)

        board.take(Snapshot(1.0, Counted({EAST: 1}), 0, 0, EAST))
        assert waited == [True]

    @pytest.mark.parametrize("width", [60, 100, 200])
    def test_no_line_is_wider_than_the_terminal(self, width: int) -> None:
        board = self.at(lambda: 0.0, PhaseBegan(Phase.UNHEALTHY, 0.0, 31.0), *STORY[3:])
        assert max(len(line) for line in drawn(board, width).splitlines()) <= width


class TestTerminal:
    """The live view itself."""

    def test_lasting_lines_stay(self) -> None:
        console, file = terminal()
        with live(console) as tell:
            for event in STORY:
                tell(event)
        said = file.getvalue()
        assert "50 payments acknowledged" in said
        assert "lambda-throttle: injected\\x1b[2J" in said

    def test_a_terminal_gets_the_picture(self) -> None:
        console, file = terminal()
        with watching(console) as tell:
            tell(PhaseBegan(Phase.LOAD, 0.0))
        assert "\x1b[" in file.getvalue()

    def test_a_dumb_terminal_gets_lines(self) -> None:
        file = StringIO()
        console = Console(file=file, force_terminal=True, _environ={"TERM": "dumb"})
        with watching(console) as tell:
            tell(PhaseBegan(Phase.LOAD, 0.0))
        assert file.getvalue() == "> load\n"


def test_json_lines_where_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAYINFRA_LOG_FORMAT", "json")
    console, file = terminal()
    with watching(console) as tell:
        tell(PhaseEnded(Phase.LOAD, 10.2, 10.1, "50 payments acknowledged"))
    said = json.loads(capsys.readouterr().err)
    assert (said["event"], said["phase"], said["seconds"]) == ("phase_ended", "load", 10.1)
    assert file.getvalue() == ""


def test_a_bar_s_height_is_its_share_and_nothing_is_a_blank() -> None:
    assert sparkline([0, 1, 4, 8]) == " ▂▅█"
    assert sparkline([4, 8], most=16) == "▃▅"
    assert sparkline([0.001, 8]) == "▁█"
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "  "
