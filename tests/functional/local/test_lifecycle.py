"""The embedded AWS started, found, killed, started again and stopped, as a process."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.events import Event, Notice
from payinfra.local import lifecycle
from payinfra.local.control import Control
from payinfra.local.endpoints import LocalEndpoints, StateFolder, write_endpoints

REGIONS = ("us-east-1", "us-west-2")


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie of ours."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int) -> bool:
    return lifecycle.WaitClock().until(lambda: not alive(pid), 10)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    assert gone(pid)


def test_it_is_ready_in_five_seconds_says_where_and_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    heard: list[Event] = []
    folder = tmp_path / ".server"
    began = time.monotonic()
    try:
        endpoints = lifecycle.up(folder, REGIONS, base_port=0, emit=heard.append)
        assert time.monotonic() - began < 5
        assert set(endpoints.regions) == set(REGIONS)
        urls = [*endpoints.regions.values(), endpoints.global_url, f"http://{endpoints.dns}"]
        assert all(url.startswith("http://127.0.0.1:") for url in urls)
        assert len(set(urls)) == 4
        running = lifecycle.status(folder)
        assert running is not None
        assert running.endpoints == endpoints
        assert (running.faults, running.time_scale, running.pending_writes) == ((), 1.0, 0)
        assert lifecycle.down(folder, emit=heard.append)
    finally:
        lifecycle.down(folder)
    assert heard == [Notice("Starting the embedded AWS."), Notice("Stopping the embedded AWS.")]
    assert capfd.readouterr() == ("", "")


def test_up_again_is_the_one_that_runs(local: Any) -> None:
    assert local.again() == local


def test_a_region_more_gets_a_port_of_its_own(local: Any) -> None:
    more = lifecycle.up(local.folder, ("eu-west-1", "us-east-1"), base_port=0)
    assert more.pid == local.endpoints.pid
    assert set(more.regions) == {*REGIONS, "eu-west-1"}
    local.control.add_region("eu-west-1")
    assert local.control.status().endpoints == more


def test_the_end_leaves_nothing_running_and_keeps_the_state(local: Any) -> None:
    local.client("dynamodb").create_table(
        TableName="kept",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    local.client("dynamodb").put_item(TableName="kept", Item={"id": {"S": "one"}})
    local.client("s3").create_bucket(Bucket="kept")
    local.client("s3").put_object(Bucket="kept", Key="one", Body=b"body")
    assert lifecycle.down(local.folder)
    assert gone(local.endpoints.pid)
    assert lifecycle.status(local.folder) is None
    assert not lifecycle.was_killed(local.folder)
    assert not lifecycle.down(local.folder)
    again = local.again()
    assert again.endpoints.regions == local.endpoints.regions
    assert again.endpoints.pid != local.endpoints.pid
    assert again.client("dynamodb").scan(TableName="kept")["Items"] == [{"id": {"S": "one"}}]
    assert again.client("s3").get_object(Bucket="kept", Key="one")["Body"].read() == b"body"


def test_a_killed_server_is_said_so_and_finds_its_state_when_it_is_started_again(local: Any) -> None:
    local.client("dynamodb").create_table(
        TableName="kept",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    state = StateFolder(local.folder).state / "dynamodb.json"
    assert lifecycle.WaitClock().until(lambda: state.exists() and "kept" in state.read_text(), 10)
    local.client("dynamodb").put_item(TableName="kept", Item={"id": {"S": "just now"}})
    kill(local.endpoints.pid)
    assert lifecycle.status(local.folder) is None
    assert lifecycle.was_killed(local.folder)
    again = local.again()
    assert again.client("dynamodb").scan(TableName="kept")["Items"] == [{"id": {"S": "just now"}}]


def test_the_end_of_a_killed_server_is_tidy(local: Any) -> None:
    kill(local.endpoints.pid)
    # The kernel lets go of the lock with the last of the process's threads, a moment after the first.
    assert lifecycle.WaitClock().until(lambda: lifecycle._free(StateFolder(local.folder)), 10)
    assert not lifecycle.down(local.folder)
    assert not lifecycle.was_killed(local.folder)


def test_where_none_ever_ran_there_is_nothing_to_stop(tmp_path: Path) -> None:
    assert not lifecycle.down(tmp_path / "never")
    assert not (tmp_path / "never").exists()
    assert lifecycle.log_tail(tmp_path / "never") == ""


def test_a_stale_process_number_that_is_somebody_elses_is_no_obstacle(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / ".server")
    folder.prepare()
    folder.token.write_text("old\n")
    stale = LocalEndpoints(
        {"us-east-1": "http://127.0.0.1:9"}, "http://127.0.0.1:9", "127.0.0.1:9", os.getpid()
    )
    write_endpoints(folder, stale)
    assert lifecycle.status(folder.root) is None
    assert lifecycle.was_killed(folder.root)
    try:
        assert lifecycle.up(folder.root, REGIONS, base_port=0).pid != os.getpid()
    finally:
        lifecycle.down(folder.root)


def test_two_that_start_at_once_are_one(tmp_path: Path) -> None:
    folder = tmp_path / ".server"
    found: list[LocalEndpoints] = []
    starters = [
        threading.Thread(target=lambda: found.append(lifecycle.up(folder, REGIONS, base_port=0)))
        for _ in range(3)
    ]
    try:
        for starter in starters:
            starter.start()
        for starter in starters:
            starter.join()
        assert len(found) == 3
        assert len({endpoints.pid for endpoints in found}) == 1
    finally:
        lifecycle.down(folder)


def test_a_second_server_over_one_folder_is_refused(local: Any) -> None:
    folder = StateFolder(local.folder)
    second = subprocess.run(lifecycle.command(folder, REGIONS, 0, 1.0), check=False, capture_output=True)
    assert second.returncode == 4
    assert "already uses" in json.loads(folder.problem.read_text())["what"]
    assert local.control.status().endpoints == local.endpoints


def test_a_taken_port_is_named_with_the_next_step(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(EnvironmentUnusable, match=str(port)) as told:
            lifecycle.up(tmp_path / ".server", REGIONS, base_port=port)
    assert "PAYINFRA_LOCAL_PORT" in told.value.hint
    assert lifecycle.status(tmp_path / ".server") is None


def test_a_server_that_cannot_say_why_it_ended_points_at_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(EnvironmentUnusable, match="ended before it was ready") as told:
        lifecycle.up(tmp_path / ".server", REGIONS, base_port=0)
    assert "server.log" in told.value.hint


def test_the_log_is_at_hand(local: Any) -> None:
    assert lifecycle.log_file(local.folder).exists()
    lifecycle.log_file(local.folder).write_text("one\ntwo\nthree\n")
    assert lifecycle.log_tail(local.folder, 2) == "two\nthree"


def test_a_server_that_hangs_is_killed(local: Any) -> None:
    os.kill(local.endpoints.pid, signal.SIGSTOP)
    hasty = lifecycle.WaitClock(clock=iter(range(0, 10**9, 15)).__next__)
    assert lifecycle.down(local.folder, watch=hasty)
    assert gone(local.endpoints.pid)
    assert local.again().control.list() == ()


def test_a_server_that_is_not_ready_in_time_is_given_up(tmp_path: Path) -> None:
    hasty = lifecycle.WaitClock(clock=iter(range(0, 10**9, 100)).__next__, sleep=lambda _seconds: None)
    with pytest.raises(EnvironmentUnusable, match="not ready within"):
        lifecycle.up(tmp_path / ".server", REGIONS, base_port=0, watch=hasty)
    assert lifecycle.WaitClock().until(lambda: not lifecycle.down(tmp_path / ".server"), 10)


def test_a_control_call_without_the_folders_token_is_refused(local: Any) -> None:
    with pytest.raises(EnvironmentUnusable, match="token"):
        Control(local.endpoints.global_url, "guess").clear()
