"""What was damaged in the embedded AWS's folder while it did not run: said, and nothing answered is lost."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from payinfra.clients.aws import Aws
from payinfra.core.errors import EnvironmentUnusable
from payinfra.core.events import Event, Notice
from payinfra.local import lifecycle
from payinfra.local.endpoints import StateFolder
from tests.support.embedded import endpoints_of

REGIONS = ("us-east-1", "us-west-2")
TABLE = "payments"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[StateFolder]:
    """Of a server that was killed right after it had answered ten writes."""
    found = StateFolder(tmp_path)
    try:
        lifecycle.up(tmp_path, REGIONS, base_port=0)
        dynamodb = Aws(endpoints_of(tmp_path)).dynamodb("us-east-1")
        dynamodb.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        state = found.state / "dynamodb.json"
        # The table is on the disk some time after its making.
        assert lifecycle.WaitClock().until(lambda: state.exists() and TABLE in state.read_text(), 30)
        for number in range(10):
            dynamodb.put_item(TableName=TABLE, Item={"id": {"S": str(number)}})
        kill(found)
        yield found
    finally:
        lifecycle.down(tmp_path)


def kill(folder: StateFolder) -> None:
    """As a loss of power, but for the disk."""
    process = int(folder.lock.read_text())
    os.kill(process, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while lifecycle.status(folder.root) is not None and time.monotonic() < deadline:
        time.sleep(0.05)


def up(folder: StateFolder) -> str:
    """Start it again; what it says of its state."""
    said: list[Event] = []
    lifecycle.up(folder.root, REGIONS, base_port=0, emit=said.append)
    return " ".join(one.message for one in said if isinstance(one, Notice))


def ids(folder: StateFolder) -> set[str]:
    found = Aws(endpoints_of(folder.root)).dynamodb("us-east-1").scan(TableName=TABLE)["Items"]
    return {one["id"]["S"] for one in found}


def test_a_torn_line_and_garbage_lose_no_answered_write(folder: StateFolder) -> None:
    log = folder.root / "items.jsonl"
    first, *rest = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join((first, b"\x00\xffgarbage\n", *rest, rest[-1][: len(rest[-1]) // 2])))
    assert "damaged in 1 of its lines (2)" in up(folder)
    everything = {str(number) for number in range(10)}
    assert ids(folder) == everything
    Aws(endpoints_of(folder.root)).dynamodb("us-east-1").put_item(TableName=TABLE, Item={"id": {"S": "next"}})
    kill(folder)
    assert "damaged" not in up(folder)
    assert ids(folder) == {*everything, "next"}


def test_a_cut_state_does_not_empty_its_service(folder: StateFolder) -> None:
    state = folder.state / "dynamodb.json"
    state.write_bytes(state.read_bytes()[:-10])
    assert "dynamodb.json was damaged" in up(folder)
    assert (folder.state / "dynamodb.damaged").exists()
    assert ids(folder) == {str(number) for number in range(10)}


def test_a_state_that_cannot_be_put_right_keeps_it_from_starting(folder: StateFolder) -> None:
    for suffix in ("json", "copy"):
        (folder.state / f"dynamodb.{suffix}").write_text("{")
    with pytest.raises(EnvironmentUnusable, match=r"dynamodb\.json of the embedded AWS is damaged") as caught:
        up(folder)
    assert "Put back a copy" in caught.value.hint


def test_a_server_whose_folder_is_removed_ends_and_frees_its_ports(tmp_path: Path) -> None:
    root = tmp_path / "server"
    lifecycle.up(root, REGIONS, base_port=0)
    process = int(StateFolder(root).lock.read_text())
    shutil.rmtree(root)
    deadline = time.monotonic() + 60
    while is_alive(process):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_alive(process: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process, os.WNOHANG)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
