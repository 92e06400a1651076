import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from payinfra.terraform.leftover_process import (
    LeftoverProcess,
    Process,
    identify,
    is_alive,
    leftover_processes,
    recorded,
    wait_for,
)

OWNER, CHILD = Process(10, "100"), Process(20, "200")


def living(*alive: Process) -> Callable[[Process], bool]:
    return lambda process: process in alive


def leave(folder: Path, child: Process = CHILD, owner: Process = OWNER) -> LeftoverProcess:
    """What a killed run leaves: a record and a output file."""
    record = LeftoverProcess(child, owner, folder / f"output-{child.pid}")
    record.output.parent.mkdir(exist_ok=True)
    record.output.touch()
    with recorded(folder, record):
        kept = (folder / f"{child.pid}.json").read_bytes()
    (folder / f"{child.pid}.json").write_bytes(kept)
    return record


def test_a_record_is_there_while_the_child_runs(tmp_path: Path) -> None:
    record = LeftoverProcess(CHILD, OWNER, tmp_path / "output")
    with recorded(tmp_path / "running", record):
        assert leftover_processes(tmp_path / "running", living(CHILD)) == (record,)
    assert list((tmp_path / "running").iterdir()) == []


def test_a_child_whose_owner_lives_is_no_orphan(tmp_path: Path) -> None:
    leave(tmp_path)
    assert leftover_processes(tmp_path, living(OWNER, CHILD)) == ()
    assert (tmp_path / "20.json").exists()


def test_what_an_ended_orphan_left_is_swept_away(tmp_path: Path) -> None:
    record = leave(tmp_path)
    assert leftover_processes(tmp_path, living()) == ()
    assert list(tmp_path.iterdir()) == []
    assert not record.output.exists()


def test_an_unreadable_record_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text("{half")
    assert leftover_processes(tmp_path, living(CHILD)) == ()
    assert list(tmp_path.iterdir()) == []


def test_waiting_tells_of_each_orphan_once_and_ends_with_the_last(tmp_path: Path) -> None:
    record = leave(tmp_path)
    told: list[LeftoverProcess] = []
    alive = [CHILD]
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            alive.clear()

    ended = wait_for(
        tmp_path,
        seconds=60,
        notice=told.append,
        alive=lambda process: process in alive,
        clock=lambda: 0.0,
        pause=pause,
    )
    assert ended
    assert told == [record]
    assert len(pauses) == 3


def test_waiting_is_bounded(tmp_path: Path) -> None:
    leave(tmp_path)
    time = iter((0.0, 1.0, 61.0))
    ended = wait_for(
        tmp_path,
        seconds=60,
        notice=lambda _record: None,
        alive=living(CHILD),
        clock=lambda: next(time),
        pause=lambda _seconds: None,
    )
    assert not ended


def test_without_orphans_there_is_no_waiting(tmp_path: Path) -> None:
    assert wait_for(tmp_path / "absent", seconds=60, notice=lambda _record: None)


def test_this_process_is_alive_and_a_later_one_of_its_number_is_not_it() -> None:
    me = identify(os.getpid())
    assert is_alive(me)
    assert not is_alive(Process(me.pid, "1"))


def test_an_ended_process_is_not_alive_even_before_it_is_waited_for() -> None:
    child = subprocess.Popen([sys.executable, "-IS", "-c", "input()"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    process = identify(child.pid)
    assert is_alive(process)
    child.stdin.close()
    if sys.platform != "darwin":  # whose Python lacks it
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(process), "a zombie works no more"
    child.wait()
    assert not is_alive(process)


def test_where_there_is_no_proc_the_number_alone_decides(tmp_path: Path) -> None:
    assert identify(os.getpid(), tmp_path) == Process(os.getpid(), "")
    assert is_alive(Process(os.getpid(), ""), tmp_path)


def test_a_process_of_somebody_else_is_alive() -> None:
    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    assert is_alive(identify(1), send=refuse)
