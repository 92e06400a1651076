"""Who reads a table's stream: a function whose role may, and no other."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from payinfra.local.server.patches.lambda_event_sources import (
    SeparateReaders,
    read_side_by_side,
    retried_if_reported,
)
from tests.unit.local.patches.test_kms_permissions import table
from tests.unit.local.patches.test_lambda_execution_role import function

HERE, ACCOUNT = "us-east-1", "000000000000"
MAPPINGS = "/2015-03-31/event-source-mappings"
TABLE = f"arn:aws:dynamodb:{HERE}:{ACCOUNT}:table/payments"
READING = ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"]


def reading(*but: str) -> dict[str, object]:
    return {
        "Action": [f"dynamodb:{one}" for one in READING if one not in but],
        "Resource": f"{TABLE}/stream/*",
    }


def mapped(world: Any, status: int = 202, **wanted: object) -> Any:
    stream = world.dynamodb("DescribeTable", TableName="payments")["Table"]["LatestStreamArn"]
    body = {"EventSourceArn": stream, "FunctionName": "f", "StartingPosition": "TRIM_HORIZON", **wanted}
    answer = world.call("lambda", "POST", f"{MAPPINGS}/", body, {"content-type": "application/json"})
    assert answer.status == status, answer
    return answer


@pytest.fixture
def polled(world: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Mappings that are read when ministack looks, which it does here only when it is told to."""
    functions = world.emulator.service("lambda_svc")
    monkeypatch.setattr(functions, "_ensure_poller", lambda: None)
    read: list[str] = []

    def execute(_function: Any, event: Any) -> dict[str, object]:
        read.extend(record["eventName"] for record in event["Records"])
        return {"body": None}

    monkeypatch.setattr(functions, "_execute_function", execute)
    return read


def result(world: Any) -> str:
    (mapping,) = world.json("lambda", "GET", f"{MAPPINGS}/")["EventSourceMappings"]
    return str(mapping["LastProcessingResult"])


@pytest.mark.parametrize("missing", [None, *READING])
def test_a_stream_is_mapped_if_the_role_may_read_it(
    world: Any, role: Any, polled: list[str], missing: str | None
) -> None:
    table(world, None)
    function(world, role)
    role.may(reading(*([missing] if missing else [])))
    answer = mapped(world, 400 if missing else 202)
    if missing:
        assert dict(answer.headers)["x-amzn-errortype"] == "InvalidParameterValueException"
        assert b"Please ensure the role can perform the GetRecords, GetShardIterator," in answer.body
    assert polled == []


def test_an_encrypted_stream_takes_the_tables_key(world: Any, role: Any, polled: list[str]) -> None:
    key = world.kms_key()
    table(world, key)
    function(world, role)
    role.may(reading())
    mapped(world, 400)
    through = {"StringEquals": {"kms:ViaService": f"dynamodb.{HERE}.amazonaws.com"}}
    role.may(reading(), {"Action": "kms:Decrypt", "Resource": key, "Condition": through})
    mapped(world)
    assert polled == []


@pytest.mark.parametrize("missing", READING)
def test_a_stream_is_read_for_as_long_as_the_role_may(
    world: Any, role: Any, polled: list[str], missing: str
) -> None:
    table(world, None)
    function(world, role)
    role.may(reading())
    mapped(world)
    poll = world.emulator.service("lambda_svc")._poll_dynamodb_streams
    role.may(reading(missing))
    world.dynamodb("PutItem", TableName="payments", Item={"id": {"S": "1"}})
    assert not poll()
    assert (polled, result(world)) == ([], "PROBLEM: Lambda cannot access the stream")
    role.may(reading())
    assert poll()
    assert (polled, result(world)) == (["INSERT"], "OK - 1 records")
    assert not poll()
    assert result(world) == "OK - 1 records"


def test_a_problem_that_is_over_is_no_longer_told(world: Any, role: Any, polled: list[str]) -> None:
    table(world, None)
    function(world, role)
    role.may(reading())
    mapped(world)
    poll = world.emulator.service("lambda_svc")._poll_dynamodb_streams
    role.may(reading("ListStreams"))
    poll()
    role.may(reading())
    poll()
    assert (polled, result(world)) == ([], "No records processed")


@pytest.mark.parametrize("may", [True, False])
def test_what_is_given_up_is_told_to_a_topic_that_the_role_may_publish_to(
    world: Any, role: Any, polled: list[str], may: bool
) -> None:
    table(world, None)
    function(world, role)
    topic = f"arn:aws:sns:{HERE}:{ACCOUNT}:given-up"
    world.query("sns", "Action=CreateTopic&Name=given-up")
    role.may(reading(), *([{"Action": "sns:Publish", "Resource": topic}] if may else []))
    answer = mapped(world, 202 if may else 400, DestinationConfig={"OnFailure": {"Destination": topic}})
    assert (b"does not have permissions to call Publish on SNS" in answer.body) is not may
    assert polled == []


RECORDS = {"Records": [{"eventSource": "aws:dynamodb"}]}
REPORTED = {"body": {"batchItemFailures": [{"itemIdentifier": "1"}]}, "log": "said"}


def test_records_that_are_reported_as_failed_are_handed_over_again() -> None:
    retried = retried_if_reported(lambda _function, _event: REPORTED)({}, RECORDS)
    assert retried["error"] is True
    assert (retried["body"]["errorType"], retried["log"]) == ("PartialBatchFailure", "said")


@pytest.mark.parametrize(
    ("event", "result"),
    [
        (RECORDS, {"body": {"batchItemFailures": []}}),
        (RECORDS, {"body": None}),
        ({"Records": [{"eventSource": "aws:sqs"}]}, REPORTED),
        ({"Records": []}, REPORTED),
        ({"httpMethod": "GET"}, REPORTED),
        ("text", REPORTED),
    ],
)
def test_and_nothing_else_is(event: Any, result: dict[str, Any]) -> None:
    assert retried_if_reported(lambda _function, _event: result)({}, event) == result


def test_what_is_switched_off_is_not_looked_at(world: Any, role: Any, polled: list[str]) -> None:
    table(world, None)
    function(world, role)
    role.may(reading())
    mapped(world, Enabled=False)
    role.may(reading("ListStreams"))
    world.emulator.service("lambda_svc")._poll_dynamodb_streams()
    assert (polled, result(world)) == ([], "No records processed")


def test_only_tables_streams_are_looked_at_and_only_for_functions(world: Any, role: Any) -> None:
    function(world, role)
    queue = f"arn:aws:sqs:{HERE}:{ACCOUNT}:q"
    body = {"EventSourceArn": queue, "FunctionName": "f", "Enabled": False}
    headers = {"content-type": "application/json"}
    assert world.call("lambda", "POST", f"{MAPPINGS}/", body, headers).status == 202
    table(world, None)
    mapped(world, 404, FunctionName="none")


def mapping(name: str) -> tuple[str, str, dict[str, Any]]:
    return ACCOUNT, HERE, {"UUID": name, "EventSourceArn": f"{TABLE}/stream/{name}"}


class Streams:
    """Two streams; the function of one of them does not answer until it is let go."""

    def __init__(self) -> None:
        self.go, self.woken, self.fails = threading.Event(), threading.Semaphore(0), False
        self.read = {"stuck": threading.Semaphore(0), "other": threading.Semaphore(0)}
        self.begun = {"stuck": 0, "other": 0}
        queue = (ACCOUNT, HERE, {"UUID": "queue", "EventSourceArn": "arn:aws:sqs:r:a:q"})
        every = [mapping("stuck"), mapping("other"), queue]
        self.readers = SeparateReaders(lambda: iter(every), self.read_each, self.woken.release)

    def read_each(self) -> bool:
        for _account, _region, one in self.readers.mappings():
            self.begun[one["UUID"]] += 1
            if one["UUID"] == "stuck":
                assert self.go.wait(60)
            if self.fails:
                raise RuntimeError("not this time")
            self.read[one["UUID"]].release()
        return True

    def await_read(self, name: str) -> None:
        assert self.read[name].acquire(timeout=60)
        assert self.woken.acquire(timeout=60)


def test_a_function_that_does_not_answer_holds_up_no_other_stream() -> None:
    streams = Streams()
    for _ in range(3):
        assert not streams.readers.read()
        streams.await_read("other")
    streams.go.set()
    streams.await_read("stuck")
    assert streams.begun["stuck"] == 1
    assert list(streams.readers.mappings()) == list(streams.readers.every())


def test_a_stream_that_could_not_be_read_once_is_read_again(capsys: pytest.CaptureFixture[str]) -> None:
    streams = Streams()
    streams.go.set()
    streams.fails = True
    streams.readers.read()
    wait_for_no_reader()
    assert "RuntimeError: not this time" in capsys.readouterr().err
    streams.fails = False
    streams.readers.read()
    streams.await_read("other")
    streams.await_read("stuck")


def test_a_record_that_comes_while_a_reader_finds_none_is_not_left() -> None:
    """Whoever wrote it asked for a look, which nobody could give just then."""
    looking, go, woken = threading.Event(), threading.Event(), threading.Event()

    def finds_nothing() -> bool:
        looking.set()
        return not go.wait(60)

    readers = SeparateReaders(lambda: iter([mapping("one")]), finds_nothing, woken.set)
    readers.read()
    assert looking.wait(60)
    readers.read()
    go.set()
    assert woken.wait(60)
    woken.clear()
    readers.read()
    wait_for_no_reader()
    assert not woken.is_set()


def wait_for_no_reader() -> None:
    ends = time.monotonic() + 60
    while any(thread.name == "stream-reader" for thread in threading.enumerate()):
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_records_reach_a_function_in_a_thread_of_its_own(world: Any, role: Any, polled: list[str]) -> None:
    read_side_by_side(world.emulator)
    table(world, None)
    function(world, role)
    role.may(reading())
    mapped(world)
    world.dynamodb("PutItem", TableName="payments", Item={"id": {"S": "1"}})
    poll: Callable[[], bool] = world.emulator.service("lambda_svc")._poll_dynamodb_streams
    poll()
    wait_for_no_reader()
    assert (polled, result(world)) == (["INSERT"], "OK - 1 records")
