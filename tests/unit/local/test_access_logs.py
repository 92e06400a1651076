"""API Gateway's access log: a line a request, in the stage's own format, and none that nobody asked for."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from payinfra.local.aws_rules import ACCESS_LOGS
from payinfra.local.emulator_environment import ACCOUNT
from payinfra.local.server.access_logs import AccessLogs, rendered
from payinfra.local.server.asgi import AsgiResponse, HttpRequest
from tests.unit.local.conftest import Clock

REGION = "us-east-1"
GROUP = "/aws/apigateway/pay/access"
FORMAT = {
    "id": "$context.requestId",
    "key": "$context.identity.apiKeyId",
    "resource": "$context.resourcePath",
    "status": "$context.status",
    "ms": "$context.responseLatency",
    "bytes": "$context.responseLength",
    "error": "$context.error.responseType",
}
ANSWER = AsgiResponse(201, (("x-amzn-requestid", "r-1"),), b"{}")


@pytest.fixture
def api(world: Any) -> str:
    """An API with one resource and a stage that asks for an access log."""
    id = str(world.json("apigateway", "POST", "/restapis", {"name": "pay"})["id"])
    with world.emulator.scope(ACCOUNT, REGION):
        gateway = world.emulator.service("apigateway_v1")
        root = next(iter(gateway._resources[id].values()))
        gateway._resources[id]["p"] = {
            "id": "p",
            "parentId": root["id"],
            "pathPart": "payments",
            "path": "/payments",
            "resourceMethods": {},
        }
        gateway._api_keys["k-1"] = {"id": "k-1", "value": "secret", "enabled": True}
        gateway._stages_v1.setdefault(id, {})["prod"] = {
            "accessLogSettings": {
                "destinationArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}",
                "format": json.dumps(FORMAT),
            }
        }
    return id


def make_group(world: Any) -> None:
    with world.emulator.scope(ACCOUNT, REGION):
        world.emulator.service("cloudwatch_logs")._log_groups[GROUP] = {"arn": "", "streams": {}}


def group_of(world: Any) -> Mapping[str, Any] | None:
    with world.emulator.scope(ACCOUNT, REGION):
        found: Mapping[str, Any] | None = world.emulator.service("cloudwatch_logs")._log_groups.get(GROUP)
        return found


def logged(world: Any) -> list[Mapping[str, str]]:
    with world.emulator.scope(ACCOUNT, REGION):
        groups = world.emulator.service("cloudwatch_logs")._log_groups
        streams = groups[GROUP]["streams"].values() if GROUP in groups else ()
        return [json.loads(event["message"]) for stream in streams for event in stream["events"]]


def answered(world: Any, path: str, *headers: tuple[str, str]) -> None:
    AccessLogs(world.emulator, now=lambda: 12.5).api_answered(
        HttpRequest("POST", path, headers=headers), ANSWER, REGION, 0.0254
    )


def test_each_request_is_a_line_in_the_stage_s_format(world: Any, api: str) -> None:
    make_group(world)
    answered(world, f"/_aws/execute-api/{api}/prod/payments", ("x-api-key", "secret"))
    answered(world, f"/_aws/execute-api/{api}/prod/unknown", ("x-api-key", "wrong"))
    assert logged(world) == [
        {
            "id": "r-1",
            "key": "k-1",
            "resource": "/payments",
            "status": "201",
            "ms": "25",
            "bytes": "2",
            "error": "-",
        },
        {"id": "r-1", "key": "-", "resource": "-", "status": "201", "ms": "25", "bytes": "2", "error": "-"},
    ]


def test_the_api_key_itself_is_in_no_line(world: Any, api: str) -> None:
    make_group(world)
    answered(world, f"/_aws/execute-api/{api}/prod/payments", ("x-api-key", "secret"))
    assert "secret" not in json.dumps(logged(world))


def test_what_no_stage_asks_for_makes_no_group(world: Any, api: str) -> None:
    answered(world, f"/_aws/execute-api/{api}/other/payments")
    answered(world, "/_aws/execute-api/gone/prod/payments")
    answered(world, "/restapis")
    assert group_of(world) is None


def test_a_late_line_makes_its_group_again_without_tags_retention_or_key(
    world: Any, api: str, clock: Clock
) -> None:
    """After the API and the group are gone."""
    world.emulator.rules.now = clock
    world.emulator.rules.set({ACCESS_LOGS.name: 10})
    make_group(world)
    logs = AccessLogs(world.emulator, now=lambda: 12.5)
    logs.api_answered(HttpRequest("GET", f"/_aws/execute-api/{api}/prod/payments"), ANSWER, REGION, 0.0254)
    assert (logs.deliver(), logged(world)) == (0, [])
    with world.emulator.scope(ACCOUNT, REGION):
        del world.emulator.service("apigateway_v1")._stages_v1[api]
        del world.emulator.service("cloudwatch_logs")._log_groups[GROUP]
    clock.now += 9.9
    assert logs.deliver() == 0
    clock.now += 0.1
    assert logs.deliver() == 1
    assert [line["resource"] for line in logged(world)] == ["/payments"]
    made = group_of(world)
    assert made is not None
    assert (made["tags"], made["retentionInDays"], made["kmsKeyId"]) == ({}, None, None)
    assert logs.deliver() == 0


def test_a_stage_without_settings_writes_nothing(world: Any, api: str) -> None:
    make_group(world)
    with world.emulator.scope(ACCOUNT, REGION):
        world.emulator.service("apigateway_v1")._stages_v1[api]["prod"] = {"accessLogSettings": {}}
    answered(world, f"/_aws/execute-api/{api}/prod/payments")
    assert logged(world) == []


def test_a_variable_without_a_value_is_a_hyphen_and_other_text_stays() -> None:
    assert rendered("a $context.status, $context.no.such $x", {"status": "200"}) == "a 200, - $x"
