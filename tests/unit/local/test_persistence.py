"""What is written of the services' state, and when."""

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from payinfra.core.errors import EnvironmentUnusable
from payinfra.local.faults import FaultRegistry, ReplicationPause
from payinfra.local.server import persistence
from payinfra.local.server.persistence import Snapshots, restore_writes, writes_to_json
from payinfra.local.server.replication import ItemKey, Replicator, Write


def snapshots(folder: Path, state: dict[str, object]) -> Snapshots:
    def services() -> dict[str, persistence.State]:
        return {name: partial(state.get, name) for name in state}

    return Snapshots(folder, services, lambda name, value: json.dumps([name, value]))


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    state: dict[str, object] = {"a": 1, "b": 2}
    kept = snapshots(tmp_path, state)
    assert kept.save() == ("a", "b")
    assert kept.save() == ()
    state["b"] = 3
    assert kept.save() == ("b",)
    assert json.loads((tmp_path / "b.json").read_text()) == ["b", 3]


def test_a_service_that_has_no_state_keeps_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("kept")
    assert snapshots(tmp_path, {"a": None}).save() == ()
    assert (tmp_path / "a.json").read_text() == "kept"


def test_the_whole_of_a_service_takes_the_place_of_its_part(tmp_path: Path) -> None:
    kept = snapshots(tmp_path, {"a": "part"})
    kept.save({"a": lambda: "whole"})
    assert json.loads((tmp_path / "a.json").read_text()) == ["a", "whole"]


def test_saving_takes_care_of_what_was_touched(tmp_path: Path) -> None:
    kept = snapshots(tmp_path, {})
    assert not kept.touched
    kept.touch()
    assert kept.touched
    kept.save()
    assert not kept.touched


def test_a_state_that_others_add_to_is_written_all_the_same(world: Any, tmp_path: Path) -> None:
    """Functions still write to their logs when the server ends."""
    logs = world.emulator.service("cloudwatch_logs")
    groups, added = logs._log_groups, 0

    class Message(str):
        """A line; while it is copied another function begins a stream, so many times."""

        def __deepcopy__(self, _memo: object) -> str:
            nonlocal added
            if added < persistence.TRIES - 1:
                added += 1
                groups.get_scoped("a", "r", "g")["streams"][f"another {added}"] = {"events": []}
            return str(self)

    stream = {"events": [{"message": Message("said")}]}
    groups.set_scoped("a", "r", "g", {"streams": {"first": stream, "second": stream}})
    kept = persistence.of_emulator(world.emulator, tmp_path)
    assert "cloudwatch_logs" in kept.save(persistence.at_an_orderly_end(world.emulator))
    assert "said" in (tmp_path / "cloudwatch_logs.json").read_text()


STATE = persistence.sealed(1, '{"functions": [1, 2]}')


def test_a_state_that_was_written_is_whole_and_readable() -> None:
    assert persistence.is_whole(STATE.encode())
    assert json.loads(STATE)["payload"] == {"functions": [1, 2]}


def test_no_cut_and_no_change_of_a_state_goes_unnoticed() -> None:
    content = STATE.encode()
    assert not any(persistence.is_whole(content[:cut]) for cut in range(len(content)))
    payload = content.index(b"payload")
    changed = (
        content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :] for at in range(payload, len(content))
    )
    assert not any(persistence.is_whole(one) for one in changed)


@pytest.mark.parametrize("damaged", [STATE[:-3], "", "\0", "[" * 100_000, STATE.replace("2]", "3]")])
def test_a_damaged_state_gives_way_to_its_copy_and_that_is_said(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / "lambda.json"
    persistence.keep(path, persistence.sealed(1, '"old"'))
    persistence.keep(path, STATE)
    assert persistence.mend(tmp_path) == ()
    path.write_text(damaged)
    (said,) = persistence.mend(tmp_path)
    assert "lambda.json was damaged" in said
    assert path.read_text() == STATE
    assert (tmp_path / "lambda.damaged").read_text() == damaged
    assert persistence.mend(tmp_path) == ()


def test_a_missing_state_gives_way_too(tmp_path: Path) -> None:
    path = tmp_path / "lambda.json"
    persistence.keep(path, STATE)
    path.unlink()
    (said,) = persistence.mend(tmp_path)
    assert "lambda.json was missing" in said
    assert path.read_text() == STATE


def test_a_damaged_state_without_a_copy_keeps_the_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "lambda.json").write_text(STATE[:-3])
    with pytest.raises(EnvironmentUnusable, match=r"lambda\.json of the embedded AWS is damaged") as caught:
        persistence.mend(tmp_path)
    assert "Put back a copy" in caught.value.hint
    assert (tmp_path / "lambda.json").read_text() == STATE[:-3]


def test_a_state_of_an_earlier_version_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "lambda.json").write_text('{"__ministack_format__": 1, "payload": {}}')
    assert persistence.mend(tmp_path) == ()


def a_replicator(board: FaultRegistry, delivered: list[Write]) -> Replicator:
    return Replicator(delivered.append, board, time.time, lambda: 0.0, lambda: 1.0)


def test_writes_on_their_way_survive_a_restart() -> None:
    board, delivered = FaultRegistry(), list[Write]()
    board.inject(ReplicationPause())
    before = a_replicator(board, delivered)
    key = ItemKey("1", "payments", "p1", "1")
    before.wrote(key, "us-east-1", ["us-west-2"], {"a": {"S": "x"}})
    before.wrote(key, "us-east-1", ["us-west-2"], None)
    after = a_replicator(board, delivered)
    restore_writes(after, json.loads(json.dumps(writes_to_json(before))))
    assert after.pending() == before.pending()
    assert after.versions() == before.versions()
    board.clear()
    after.pump()
    assert [write.item for write in delivered] == [{"a": {"S": "x"}}, None]


def test_a_file_that_says_nothing_restores_nothing() -> None:
    replicator = a_replicator(FaultRegistry(), [])
    restore_writes(replicator, None)
    assert replicator.pending() == ()


def test_what_grows_with_every_request_is_left_to_an_orderly_end(world: Any, tmp_path: Path) -> None:
    logs = {"content-type": "application/x-amz-json-1.1"}
    for operation, body in (
        ("CreateLogGroup", {"logGroupName": "g"}),
        ("CreateLogStream", {"logGroupName": "g", "logStreamName": "s"}),
        (
            "PutLogEvents",
            {
                "logGroupName": "g",
                "logStreamName": "s",
                "logEvents": [{"timestamp": int(time.time() * 1000), "message": "a line"}],
            },
        ),
    ):
        target = {**logs, "x-amz-target": f"Logs_20140328.{operation}"}
        assert world.call("logs", "POST", "/", body, target).status == 200
    world.query(
        "monitoring",
        "Action=PutMetricAlarm&AlarmName=a&EvaluationPeriods=1&Namespace=n&MetricName=other"
        "&Statistic=Sum&Period=60&Threshold=1&ComparisonOperator=GreaterThanThreshold",
    )
    world.query(
        "monitoring",
        "Action=PutMetricData&Namespace=n&MetricData.member.1.MetricName=m&MetricData.member.1.Value=42",
    )
    world.dynamodb(
        "CreateTable",
        TableName="payments",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    world.dynamodb("PutItem", TableName="payments", Item={"id": {"S": "the-payment"}})
    kept = persistence.of_emulator(world.emulator, tmp_path)
    assert {"dynamodb", "cloudwatch_logs", "cloudwatch", "s3", "lambda"} <= set(kept.save())
    assert '"payments' in (tmp_path / "dynamodb.json").read_text()
    assert "the-payment" not in (tmp_path / "dynamodb.json").read_text()
    assert "a line" not in (tmp_path / "cloudwatch_logs.json").read_text()
    assert "42.0" not in (tmp_path / "cloudwatch.json").read_text()
    assert kept.save(persistence.at_an_orderly_end(world.emulator)) == ("cloudwatch_logs", "cloudwatch")
    assert "a line" in (tmp_path / "cloudwatch_logs.json").read_text()
    assert "42.0" in (tmp_path / "cloudwatch.json").read_text()


def test_what_was_written_is_read_by_ministack(world: Any, tmp_path: Path) -> None:
    world.query(
        "monitoring",
        "Action=PutMetricAlarm&AlarmName=one&EvaluationPeriods=1&Namespace=n&MetricName=m"
        "&Statistic=Sum&Period=60&Threshold=1&ComparisonOperator=GreaterThanThreshold",
    )
    persistence.of_emulator(world.emulator, tmp_path).save()
    core, service = world.emulator.core("persistence"), world.emulator.service("cloudwatch")
    text = json.loads((tmp_path / "cloudwatch.json").read_text(), object_hook=core._json_object_hook)
    service.reset()
    service.load_persisted_state(text["payload"])
    assert "<AlarmName>one</AlarmName>" in world.query("monitoring", "Action=DescribeAlarms")
