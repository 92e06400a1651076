"""ministack's global tables with the replication between them, and the items' journal."""

import contextlib
import threading
import time
import types
from pathlib import Path
from typing import Any

import pytest

from payinfra.local.faults import FaultRegistry, ReplicationPause
from payinfra.local.server import global_tables, item_log, persistence
from payinfra.local.server.item_log import ItemJournal, Line, StoredItems
from payinfra.local.server.patches.dynamodb import REAPER
from payinfra.local.server.replication import ItemKey, Replicator

EAST, WEST = "us-east-1", "us-west-2"


@pytest.fixture
def board() -> FaultRegistry:
    return FaultRegistry()


@pytest.fixture
def replicator(world: Any, board: FaultRegistry) -> Replicator:
    """Between two replicas of a table that has a stream, a sort key and an index."""
    made = Replicator(global_tables.applier(world.emulator), board, time.time, lambda: 0.0, lambda: 1.0)
    global_tables.replicate_through(world.emulator, made.wrote)
    world.dynamodb(
        "CreateTable",
        TableName="payments",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "at", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    world.dynamodb("UpdateTable", TableName="payments", ReplicaUpdates=[{"Create": {"RegionName": WEST}}])
    return made


def payment(number: str, **more: dict[str, str]) -> dict[str, dict[str, str]]:
    return {"id": {"S": f"p{number}"}, "at": {"N": number}, **more}


def held(world: Any, region: str) -> list[str]:
    found = world.dynamodb("Scan", region=region, TableName="payments")["Items"]
    return sorted(item["id"]["S"] for item in found)


def events(world: Any, region: str) -> list[str]:
    with world.emulator.scope("000000000000", region):
        records = world.emulator.service("dynamodb")._stream_records.get("payments", [])
    return [record["eventName"] for record in records]


def test_writes_of_every_kind_reach_the_replica(world: Any, replicator: Replicator) -> None:
    put = {"TableName": "payments"}
    world.dynamodb("PutItem", **put, Item=payment("1"))
    batch = {"payments": [{"PutRequest": {"Item": payment("2")}}]}
    world.dynamodb("BatchWriteItem", RequestItems=batch)
    world.dynamodb("TransactWriteItems", TransactItems=[{"Put": {**put, "Item": payment("3")}}])
    change = {"UpdateExpression": "SET s = :s", "ExpressionAttributeValues": {":s": {"S": "done"}}}
    world.dynamodb("UpdateItem", **put, Key=payment("1"), **change)
    assert held(world, WEST) == ["p1", "p2", "p3"]
    there = world.dynamodb("GetItem", region=WEST, **put, Key=payment("1"))
    assert there["Item"]["s"] == {"S": "done"}
    world.dynamodb("DeleteItem", region=WEST, **put, Key=payment("1"))
    assert held(world, EAST) == ["p2", "p3"]
    assert events(world, WEST) == ["INSERT", "INSERT", "INSERT", "MODIFY", "REMOVE"]
    assert events(world, EAST)[-1] == "REMOVE"


def test_a_pause_parts_the_regions_and_its_end_joins_them(
    world: Any, replicator: Replicator, board: FaultRegistry
) -> None:
    pause = board.inject(ReplicationPause())
    world.dynamodb("PutItem", TableName="payments", Item=payment("1"))
    world.dynamodb("PutItem", region=WEST, TableName="payments", Item=payment("2"))
    assert (held(world, EAST), held(world, WEST)) == (["p1"], ["p2"])
    board.clear(pause.fault_id)
    replicator.pump()
    assert held(world, EAST) == held(world, WEST) == ["p1", "p2"]


def test_a_write_for_a_replica_that_is_gone_is_dropped(
    world: Any, replicator: Replicator, board: FaultRegistry
) -> None:
    board.inject(ReplicationPause())
    world.dynamodb("PutItem", TableName="payments", Item=payment("1"))
    world.dynamodb("PutItem", TableName="payments", Item=payment("2"))
    world.dynamodb("DeleteItem", TableName="payments", Key=payment("2"))
    world.dynamodb("UpdateTable", TableName="payments", ReplicaUpdates=[{"Delete": {"RegionName": WEST}}])
    board.clear()
    replicator.pump()
    assert replicator.pending() == ()
    world.dynamodb("PutItem", TableName="payments", Item=payment("3"))
    assert held(world, EAST) == ["p1", "p3"]


def test_a_delete_of_what_the_replica_never_had_leaves_no_record(
    world: Any, replicator: Replicator, board: FaultRegistry
) -> None:
    replicator.wrote(ItemKey("000000000000", "payments", "p9", "9"), EAST, [WEST], None)
    assert events(world, WEST) == []


def test_a_table_without_a_sort_key_replicates_too(world: Any, replicator: Replicator) -> None:
    world.dynamodb(
        "CreateTable",
        TableName="keys",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    world.dynamodb("PutItem", TableName="keys", Item={"id": {"S": "before"}})
    world.dynamodb("UpdateTable", TableName="keys", ReplicaUpdates=[{"Create": {"RegionName": WEST}}])
    world.dynamodb("PutItem", TableName="keys", Item={"id": {"S": "after"}})
    there = world.dynamodb("Scan", region=WEST, TableName="keys")["Items"]
    assert sorted(item["id"]["S"] for item in there) == ["after", "before"]


def test_an_expired_item_is_deleted_in_both_regions(world: Any, replicator: Replicator) -> None:
    specification = {"Enabled": True, "AttributeName": "expires"}
    world.dynamodb("UpdateTimeToLive", TableName="payments", TimeToLiveSpecification=specification)
    now = 1_000_000_000.0
    for number, attribute in (
        ("1", {"N": str(int(now) - 1)}),
        ("2", {"N": str(int(now) + 60)}),
        ("3", {"S": "never"}),
        ("4", {"N": "5"}),
    ):
        world.dynamodb("PutItem", TableName="payments", Item=payment(number, expires=attribute))
    assert global_tables.expire_items(world.emulator, now) == 1
    assert held(world, EAST) == held(world, WEST) == ["p2", "p3", "p4"]
    assert events(world, WEST)[-1] == "REMOVE"
    assert global_tables.expire_items(world.emulator, now) == 0


def test_no_item_expires_without_a_record_in_the_stream(world: Any, replicator: Replicator) -> None:
    """ministack's own thread, which deletes once a minute, may look at any moment."""
    specification = {"Enabled": True, "AttributeName": "expires"}
    world.dynamodb("UpdateTimeToLive", TableName="payments", TimeToLiveSpecification=specification)
    world.dynamodb("PutItem", TableName="payments", Item=payment("1", expires={"N": "1000000000"}))
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        if threading.current_thread() is not mine:
            time.sleep(seconds)
            return
        looks.append(seconds)
        if len(looks) == 2:
            raise SystemExit

    def reap() -> None:
        with contextlib.suppress(SystemExit):
            service._ttl_reaper()

    service, hurried = world.emulator.service("dynamodb"), types.ModuleType("time")
    hurried.__dict__.update(time.__dict__, sleep=sleep)
    assert REAPER in {thread.name for thread in threading.enumerate()}
    world.emulator.replace(service, "time", hurried)
    mine = threading.Thread(target=reap, name=REAPER)
    mine.start()
    mine.join()
    assert looks == [60, 60]
    assert held(world, EAST) == held(world, WEST) == ["p1"]
    assert global_tables.expire_items(world.emulator, 1_000_000_000.0) == 1
    assert events(world, EAST)[-1] == events(world, WEST)[-1] == "REMOVE"


def test_nothing_expires_where_no_time_to_live_is_set(world: Any, replicator: Replicator) -> None:
    for enabled in (True, False):
        specification = {"Enabled": enabled, "AttributeName": "expires"}
        world.dynamodb("UpdateTimeToLive", TableName="payments", TimeToLiveSpecification=specification)
    world.dynamodb("PutItem", TableName="payments", Item=payment("1", expires={"N": "999999999"}))
    assert global_tables.expire_items(world.emulator, 1_000_000_000.0) == 0


# ---- the journal ----------------------------------------------------------------------------------------


def test_a_journal_gives_back_what_was_appended(tmp_path: Path) -> None:
    journal = ItemJournal(tmp_path / "items.jsonl")
    assert list(journal.read()) == []
    lines: list[Line] = [("t", "p1", "1", {"a": {"S": "\u00e4"}}), ("t", "p1", "1", None)]
    for line in lines:
        journal.append(line)
    assert list(ItemJournal(journal.path).read()) == lines


def test_a_write_that_a_kill_cut_short_is_passed_over(tmp_path: Path) -> None:
    journal = ItemJournal(tmp_path / "items.jsonl")
    journal.append(("t", "p1", "1", {}))
    journal.close()
    journal.close()
    with journal.path.open("a") as file:
        file.write('{"crc32":"00000000","record":["t", "p2", "1", {"a')
    found = ItemJournal(journal.path)
    assert list(found.read()) == [("t", "p1", "1", {})]
    assert (found.torn > 0, found.damaged) == (True, [])


def test_wherever_a_kill_cuts_the_log_the_next_write_is_not_lost(tmp_path: Path) -> None:
    whole = ItemJournal(tmp_path / "whole.jsonl")
    lines: list[Line] = [("t", f"p{number}", "1", {"a": {"S": "x"}}) for number in range(3)]
    for line in lines:
        whole.append(line)
    content = whole.path.read_bytes()
    answered = [at for at in range(len(content)) if content[at - 1 : at] == b"\n"]
    path = tmp_path / "items.jsonl"
    for cut in range(answered[0], len(content)):
        path.write_bytes(content[:cut])
        journal = ItemJournal(path)
        before = list(journal.read())
        assert (
            before[: sum(at <= cut for at in answered) - 1] == lines[: sum(at <= cut for at in answered) - 1]
        )
        if journal.needs_rewriting:
            journal.rewrite(iter(before))
        journal.append(("t", "next", "1", {}))
        journal.close()
        found = ItemJournal(path)
        assert list(found.read()) == [*before, ("t", "next", "1", {})]
        assert not found.needs_rewriting


def test_logs_of_earlier_versions_are_read_and_what_followed_a_torn_line_in_it_too(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('["t", "p1", "1", {}]\n["t", "p2", "1", {"a": {"S["t", "p3", "1", {"a": {"L": []}}]\n')
    journal = ItemJournal(path)
    assert [line[1] for line in journal.read()] == ["p1", "p3"]
    assert journal.damaged == [2]


@pytest.mark.parametrize("garbage", [b"\x00\xff\xfe\n", b"[" * 100_000 + b"\n", b"{}\n", b"[1,2]\n", b"\n"])
def test_garbage_stops_nothing_and_is_counted(tmp_path: Path, garbage: bytes) -> None:
    journal = ItemJournal(tmp_path / "items.jsonl")
    journal.append(("t", "p1", "1", {}))
    journal.close()
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + garbage + whole.splitlines(keepends=True)[1])
    found = ItemJournal(journal.path)
    assert len(list(found.read())) == 2
    assert found.damaged == [3]


def test_a_changed_bit_is_not_believed(tmp_path: Path) -> None:
    journal = ItemJournal(tmp_path / "items.jsonl")
    journal.append(("t", "p1", "1", {"amount": {"N": "100"}}))
    journal.append(("t", "p2", "1", {"amount": {"N": "100"}}))
    journal.close()
    journal.path.write_bytes(journal.path.read_bytes().replace(b'"100"', b'"900"', 1))
    found = ItemJournal(journal.path)
    assert [line[1] for line in found.read()] == ["p2"]
    assert found.damaged == [2]


def test_a_rewritten_journal_holds_the_new_lines_and_goes_on(tmp_path: Path) -> None:
    journal = ItemJournal(tmp_path / "items.jsonl")
    journal.append(("t", "old", "1", {}))
    journal.rewrite(iter([("t", "new", "1", {})]))
    journal.append(("t", "newer", "1", {}))
    assert [line[1] for line in ItemJournal(journal.path).read()] == ["new", "newer"]
    assert journal.lines == 2


@pytest.fixture
def stored(world: Any, tmp_path: Path) -> StoredItems:
    kept = item_log.of_emulator(world.emulator, tmp_path / "items.jsonl")
    kept.record()
    return kept


def restart(world: Any, stored: StoredItems) -> None:
    """As a kill and a new start: tables from their snapshot, items from the journal."""
    service = world.emulator.service("dynamodb")
    bare = persistence.tables_without_items(service)
    service.reset()
    service.load_persisted_state(bare)
    StoredItems(world.emulator, ItemJournal(stored.journal.path)).restore()


def test_items_survive_a_kill(world: Any, stored: StoredItems, replicator: Replicator) -> None:
    world.dynamodb("PutItem", TableName="payments", Item=payment("1"))
    world.dynamodb("PutItem", TableName="payments", Item=payment("2"))
    world.dynamodb("DeleteItem", TableName="payments", Key=payment("1"))
    world.dynamodb("DeleteItem", TableName="payments", Key=payment("1"))
    stored.dynamodb._remove_item({"TableId": "t", "items": {}}, "never", "there")
    restart(world, stored)
    assert held(world, EAST) == held(world, WEST) == ["p2"]
    assert world.dynamodb("DescribeTable", TableName="payments")["Table"]["ItemCount"] == 1


def test_a_damaged_log_is_said_and_kept(world: Any, stored: StoredItems, replicator: Replicator) -> None:
    for name in ("1", "2"):
        world.dynamodb("PutItem", TableName="payments", Item=payment(name))
    stored.journal.close()
    lines = stored.journal.path.read_bytes().splitlines(keepends=True)
    damaged = b"".join((lines[0], b"garbage\n", *lines[1:]))
    stored.journal.path.write_bytes(damaged)
    service = world.emulator.service("dynamodb")
    bare = persistence.tables_without_items(service)
    service.reset()
    service.load_persisted_state(bare)
    again = StoredItems(world.emulator, ItemJournal(stored.journal.path))
    said = again.restore()
    assert "damaged in 1 of its lines (2)" in said
    assert held(world, EAST) == ["p1", "p2"]
    assert again.journal.copy is not None
    assert again.journal.copy.read_bytes() == damaged
    assert again.restore() == ""


def test_a_new_replicas_copies_survive_a_kill(
    world: Any, stored: StoredItems, replicator: Replicator
) -> None:
    world.dynamodb("PutItem", TableName="payments", Item=payment("1"))
    world.dynamodb("UpdateTable", TableName="payments", ReplicaUpdates=[{"Delete": {"RegionName": WEST}}])
    world.dynamodb("UpdateTable", TableName="payments", ReplicaUpdates=[{"Create": {"RegionName": WEST}}])
    restart(world, stored)
    assert held(world, WEST) == ["p1"]


def test_items_of_a_table_that_is_gone_stay_gone(
    world: Any, stored: StoredItems, replicator: Replicator
) -> None:
    world.dynamodb("PutItem", region=WEST, TableName="payments", Item=payment("1"))
    world.dynamodb("DeleteTable", region=WEST, TableName="payments")
    restart(world, stored)
    assert held(world, EAST) == ["p1"]


def test_history_is_tidied_away(world: Any, stored: StoredItems, replicator: Replicator) -> None:
    world.dynamodb("PutItem", TableName="payments", Item=payment("1"))
    stored.tidy()
    assert stored.journal.lines == 2
    stored.journal.lines = item_log.FEW + 1
    stored.tidy()
    assert stored.journal.lines == 2
