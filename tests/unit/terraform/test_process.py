import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from payinfra.core.stop_signals import STOP_SIGNALS
from payinfra.terraform import Binary, StopTimeouts
from payinfra.terraform.process import Child, Ending, Follower, Interrupts, run

Scripted = Callable[..., Binary]


class Watch:
    """A child and what it and the runner did."""

    def __init__(self, binary: Binary, folder: Path, *, on_line: Callable[[str], None] | None = None) -> None:
        self.lines: list[str] = []
        self.asked: list[int] = []
        self.forced = 0
        self.pids: list[int] = []
        self.interrupts = Interrupts()
        self._on_line = on_line
        self.child = Child(
            argv=(*binary.argv, "apply"),
            folder=folder,
            environment=dict(os.environ),
            output=folder / "output",
            said=self._said,
            asked=self.asked.append,
            forced=self._force,
            started=self.pids.append,
        )

    def run(self, patience: StopTimeouts | None = None, clock: Callable[[], float] | None = None) -> Ending:
        if clock:
            return run(self.child, self.interrupts, patience=patience, clock=clock)
        return run(self.child, self.interrupts, patience=patience)

    def _said(self, line: str) -> None:
        self.lines.append(line)
        if self._on_line:
            self._on_line(line)

    def _force(self) -> None:
        self.forced += 1


def interrupt_me(_line: str) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_output_arrives_line_by_line_and_the_exit_code_at_the_end(scripted: Scripted, tmp_path: Path) -> None:
    binary = scripted({"apply": [["out", "one"], ["err", "two"], ["raw", "three"], ["exit", 3]]})
    watch = Watch(binary, tmp_path)
    assert watch.run() == Ending(3, interrupted=False, forced=False)
    assert sorted(watch.lines) == ["one", "three", "two"]
    assert len(watch.pids) == 1


def test_the_output_file_is_for_its_owner_only(scripted: Scripted, tmp_path: Path) -> None:
    watch = Watch(scripted({}), tmp_path)
    watch.run()
    assert stat.S_IMODE((tmp_path / "output").stat().st_mode) == 0o600


def test_files_that_the_child_makes_are_for_their_owner_only(scripted: Scripted, tmp_path: Path) -> None:
    made = tmp_path / "state"
    Watch(scripted({"apply": [["write", str(made), "secret"]]}), tmp_path).run()
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


def test_the_child_has_a_session_of_its_own(scripted: Scripted, tmp_path: Path) -> None:
    sessions: list[int] = []

    def look(_line: str) -> None:
        sessions.append(os.getsid(watch.pids[0]))
        watch.interrupts.request()

    watch = Watch(scripted({"apply": [["out", "up"], ["hear", "INT"]]}), tmp_path, on_line=look)
    watch.run()
    assert sessions == [watch.pids[0]], "a Ctrl-C in the terminal must not reach it"


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_to_payinfra_reaches_the_child_once_as_an_interrupt(
    scripted: Scripted, tmp_path: Path, number: signal.Signals
) -> None:
    binary = scripted({"apply": [["out", "up"], ["hear", "INT"], ["out", "saved"], ["exit", 1]]})

    def send(line: str) -> None:
        if line == "up":
            os.kill(os.getpid(), number)

    watch = Watch(binary, tmp_path, on_line=send)
    before = signal.getsignal(number)
    assert watch.run() == Ending(1, interrupted=True, forced=False)
    assert watch.lines == ["up", "saved"]
    assert watch.asked == [1]
    assert signal.getsignal(number) is before, "the handler is put back"


def test_further_interrupts_are_answered_but_not_passed_on(scripted: Scripted, tmp_path: Path) -> None:
    binary = scripted({"apply": [["out", "up"], ["hear", "INT"], ["out", "again"], ["hear", "USR1"]]})
    watch: Watch

    def send(line: str) -> None:
        interrupt_me(line)

    def asked(times: int) -> None:
        watch.asked.append(times)
        if times == 2:
            os.kill(watch.pids[0], signal.SIGUSR1)

    watch = Watch(binary, tmp_path, on_line=send)
    watch.child = Child(**{**vars(watch.child), "asked": asked})
    assert watch.run() == Ending(0, interrupted=True, forced=False)
    assert watch.asked == [1, 2]
    assert watch.forced == 0


def test_a_child_that_hears_nothing_is_terminated_then_killed(scripted: Scripted, tmp_path: Path) -> None:
    heard = tmp_path / "fake"

    def clock() -> float:
        """Time passes only when the child has taken a signal."""
        return 1000.0 * len(list(heard.glob("heard-*")))

    binary = scripted({"apply": [["out", "up"], ["hear", "INT"], ["hear", "TERM"], ["hear", "USR1"]]})
    watch = Watch(binary, tmp_path, on_line=interrupt_me)
    ending = watch.run(StopTimeouts(terminate_after=1, kill_after=1), clock)
    assert ending == Ending(-signal.SIGKILL, interrupted=True, forced=True)
    assert sorted(file.name for file in heard.glob("heard-*")) == ["heard-INT", "heard-TERM"]
    assert watch.forced == 1


def test_in_another_thread_a_request_interrupts(scripted: Scripted, tmp_path: Path) -> None:
    binary = scripted({"apply": [["out", "up"], ["hear", "INT"], ["exit", 1]]})
    watch = Watch(binary, tmp_path, on_line=lambda _line: watch.interrupts.request())
    endings: list[Ending] = []
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=lambda: endings.append(watch.run()))
    thread.start()
    thread.join()
    assert endings == [Ending(1, interrupted=True, forced=False)]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def _ignoring_interrupts() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ignoring_interrupts")
def test_a_signal_that_payinfra_ignores_stays_ignored(scripted: Scripted, tmp_path: Path) -> None:
    watch = Watch(scripted({"apply": [["out", "up"]]}), tmp_path, on_line=interrupt_me)
    assert watch.run() == Ending(0, interrupted=False, forced=False)


class Defect(Exception):
    pass


def test_a_defect_in_payinfra_does_not_leave_the_child_at_work(scripted: Scripted, tmp_path: Path) -> None:
    def fail(_line: str) -> None:
        raise Defect

    watch = Watch(scripted({"apply": [["out", "up"], ["hear", "INT"]]}), tmp_path, on_line=fail)
    with pytest.raises(Defect):
        watch.run()
    assert (tmp_path / "fake/heard-INT").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(watch.pids[0], 0)


def test_a_defect_after_the_interrupt_still_lets_the_child_end_in_peace(
    scripted: Scripted, tmp_path: Path
) -> None:
    def look(line: str) -> None:
        interrupt_me(line)
        if line == "saving":
            raise Defect

    binary = scripted({"apply": [["out", "up"], ["hear", "INT"], ["out", "saving"], ["hear", "USR1"]]})
    watch = Watch(binary, tmp_path, on_line=look)

    def clock() -> float:
        """The child may end only after the defect, while it is being waited for."""
        if "saving" in watch.lines:
            os.kill(watch.pids[0], signal.SIGUSR1)
        return 0.0

    with pytest.raises(Defect):
        watch.run(clock=clock)
    assert watch.forced == 0


def test_a_folder_that_is_gone_is_an_os_error(scripted: Scripted, tmp_path: Path) -> None:
    watch = Watch(scripted({}), tmp_path)
    watch.child = Child(**{**vars(watch.child), "folder": tmp_path / "absent"})
    with pytest.raises(FileNotFoundError):
        watch.run()


def test_lines_are_followed_whole_even_when_written_in_parts(tmp_path: Path) -> None:
    file = tmp_path / "output"
    file.touch()
    with file.open("ab", buffering=0) as writer, file.open("rb") as reader:
        follower = Follower(reader)
        assert list(follower.lines()) == []
        writer.write(b"one\ntw")
        assert list(follower.lines()) == ["one"]
        writer.write(b"o\n\xff\nrest")
        assert list(follower.lines()) == ["two", "\ufffd"]
        assert list(follower.last()) == ["rest"]
        assert list(follower.last()) == []
