"""Traces of functions: for roles that may send them."""

import base64
import json
import time
from typing import Any

import pytest

from payinfra.local.server.patches import xray
from tests.unit.local.patches.test_lambda_execution_role import FUNCTIONS, function

HERE, ACCOUNT = "us-east-1", "000000000000"
ACTIVE = {"TracingConfig": {"Mode": "Active"}}
SEND = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]


def summaries(world: Any, start: float = 0.0, end: float = 9e9, region: str = HERE) -> list[Any]:
    asked = {"StartTime": start, "EndTime": end}
    found: list[Any] = world.json("xray", "POST", "/TraceSummaries", asked, region)["TraceSummaries"]
    return found


def run(world: Any, config: Any, result: object = None) -> None:
    """One call of the function, whose process is not started."""
    functions = world.emulator.service("lambda_svc")

    def executed(_function: Any, _event: Any, _request_id: str) -> object:
        functions._xray_trace_id_for_invocation(config)
        return {"body": None} if result is None else result

    world.emulator.replace(functions, "_execute_function_warm", executed)
    with world.emulator.scope(ACCOUNT, HERE):
        functions._execute_function_dispatch({"config": config}, config, {}, "id", time.time())


@pytest.fixture
def traced(world: Any, role: Any) -> Any:
    """The configuration of a function with active tracing."""
    role.may({"Action": SEND})
    return function(world, role, **ACTIVE)


def test_a_call_leaves_a_trace_of_two_segments(world: Any, traced: Any) -> None:
    began = time.time()
    run(world, traced)
    (found,) = summaries(world, began, time.time())
    assert not found["HasFault"]
    answer = world.json("xray", "POST", "/Traces", {"TraceIds": [found["Id"], "1-none"]})
    assert answer["UnprocessedTraceIds"] == ["1-none"]
    (trace,) = answer["Traces"]
    outer, inner = (json.loads(one["Document"]) for one in trace["Segments"])
    assert [outer["origin"], inner["origin"]] == ["AWS::Lambda", "AWS::Lambda::Function"]
    assert {outer["name"], inner["name"]} == {"f"}
    assert inner["parent_id"] == outer["id"]
    assert outer["trace_id"] == trace["Id"] == found["Id"]


def test_traces_are_found_by_time_and_in_their_region(world: Any, traced: Any) -> None:
    run(world, traced)
    assert summaries(world, 0, time.time() - 60) == []
    assert summaries(world, region="us-west-2") == []
    assert len(summaries(world)) == 1


def test_a_failure_is_a_fault(world: Any, traced: Any) -> None:
    run(world, traced, {"body": {}, "error": True})
    run(world, traced, "an answer of another kind")
    assert [one["HasFault"] for one in summaries(world)] == [True, False]


@pytest.mark.parametrize("missing", SEND)
def test_without_permission_nothing_is_sent(world: Any, role: Any, traced: Any, missing: str) -> None:
    role.may({"Action": [one for one in SEND if one != missing] or "s3:*"})
    run(world, traced)
    assert summaries(world) == []
    role.may({"Action": SEND})
    run(world, traced)
    assert len(summaries(world)) == 1


def test_without_active_tracing_nothing_is_sent(world: Any, role: Any) -> None:
    role.may({"Action": SEND})
    run(world, function(world, role))
    assert summaries(world) == []


def test_the_youngest_are_kept(world: Any, traced: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xray, "KEPT", 2)
    for _call in range(3):
        run(world, traced)
    assert len(summaries(world)) == 2


def test_what_it_does_not_know_is_refused(world: Any) -> None:
    answer = world.call("xray", "POST", "/ServiceGraph", {})
    assert answer.status == 400
    assert b"/ServiceGraph" in answer.body


def test_reading_traces_takes_permission(world: Any, role: Any) -> None:
    asked = {"StartTime": 0, "EndTime": 1}
    role.may({"Action": "xray:BatchGetTraces"})
    assert role.call("xray", "POST", "/TraceSummaries", asked).status == 403
    assert role.call("xray", "POST", "/Traces", {"TraceIds": []}).status == 200
    role.may({"Action": "xray:GetTraceSummaries"})
    assert role.call("xray", "POST", "/TraceSummaries", asked).status == 200


AN_EMPTY_ZIP = base64.b64encode(b"PK\x05\x06" + bytes(18)).decode()
WORDS = b"The provided execution role does not have permissions to call PutTraceSegments on XRAY"


def test_active_tracing_is_refused_to_a_role_that_may_not_send(world: Any, role: Any) -> None:
    body = {"FunctionName": "f", "Role": role.arn, "Runtime": "python3.11", "Handler": "f.f"}
    role.may({"Action": SEND[1]})
    refused = world.call("lambda", "POST", FUNCTIONS, {**body, **ACTIVE, "Code": {"ZipFile": ""}})
    assert (refused.status, WORDS in refused.body) == (400, True)
    function(world, role)
    changed = f"{FUNCTIONS}/f/configuration"
    assert world.call("lambda", "PUT", changed, {"Timeout": 5}).status == 200
    refused = world.call("lambda", "PUT", changed, ACTIVE)
    assert (refused.status, WORDS in refused.body) == (400, True)
    role.may({"Action": SEND[0]})
    assert world.call("lambda", "PUT", changed, ACTIVE).status == 200
    role.may({"Action": SEND[1]})
    assert world.call("lambda", "PUT", changed, {"Timeout": 6}).status == 200
    assert world.call("lambda", "PUT", changed, {"Role": role.arn}).status == 400


def test_a_role_that_is_not_there_is_told_as_such(world: Any, role: Any) -> None:
    body = {"FunctionName": "f", "Role": f"{role.arn}x", "Runtime": "python3.11", "Handler": "f.f"}
    refused = world.call("lambda", "POST", FUNCTIONS, {**body, **ACTIVE, "Code": {"ZipFile": AN_EMPTY_ZIP}})
    assert refused.status == 400
    assert b"cannot be found" in refused.body


def test_its_calls_are_routed_without_a_look_at_all_of_aws(world: Any) -> None:
    """For a service that it does not know ministack reads all of botocore, which takes seconds."""
    router = world.emulator.core("router")
    looked: list[str] = []
    world.emulator.replace(router, "_is_aws_service_name", looked.append)
    assert summaries(world) == []
    assert looked == []
