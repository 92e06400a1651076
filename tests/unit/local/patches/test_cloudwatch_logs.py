"""Log groups are described while functions write to them."""

import json
from typing import Any

from payinfra.local.server.patches.cloudwatch_logs import TRIES
from tests.unit.local.conftest import Ministack

GROUP = "/aws/lambda/payments"


class Written(dict[str, Any]):
    """The streams of a group, to which a function adds one while somebody looks through them."""

    def __init__(self, times: int) -> None:
        super().__init__(first={"events": [{"message": "four"}]})
        self.times = times

    def values(self) -> Any:
        for stream in super().values():
            if self.times:
                self.times -= 1
                self[f"{len(self)}"] = {"events": [{"message": "four"}]}
            yield stream


def described(world: Any, streams: dict[str, Any]) -> Any:
    headers = {
        "x-amz-target": "Logs_20140328.CreateLogGroup",
        "content-type": "application/x-amz-json-1.1",
    }
    world.call("logs", "POST", "/", {"logGroupName": GROUP}, headers)
    logs = world.emulator.service("cloudwatch_logs")
    with world.emulator.scope("000000000000", "us-east-1"):
        logs._log_groups[GROUP]["streams"] = streams
    headers["x-amz-target"] = "Logs_20140328.DescribeLogGroups"
    return world.call("logs", "POST", "/", {}, headers)


def test_a_stream_that_is_added_meanwhile_is_counted(world: Any) -> None:
    answer = described(world, Written(TRIES - 1))
    assert answer.status == 200, answer
    (group,) = json.loads(answer.body)["logGroups"]
    assert group["storedBytes"] == 4 * TRIES


def test_it_is_not_tried_for_ever(world: Any) -> None:
    assert described(world, Written(TRIES)).status == 500


def found(world: Ministack, **asked: object) -> tuple[int, dict[str, Any]]:
    headers = {"x-amz-target": "Logs_20140328.FilterLogEvents", "content-type": "application/x-amz-json-1.1"}
    answer = world.call("logs", "POST", "/", {"logGroupName": "/g", **asked}, headers)
    return answer.status, json.loads(answer.body)


def test_events_are_found_page_by_page_and_the_first_page_is_empty(world: Ministack) -> None:
    with world.emulator.scope("000000000000", world.region):
        logs = world.emulator.service("cloudwatch_logs")
        logs._create_log_group({"logGroupName": "/g"})
        events = [{"timestamp": n, "message": f"line {n}", "ingestionTime": n} for n in range(5)]
        logs._log_groups["/g"]["streams"]["s"] = {"events": events}
    status, page = found(world, limit=2)
    assert (status, page["events"]) == (200, [])
    seen: list[str] = []
    while token := page.get("nextToken"):
        status, page = found(world, limit=2, nextToken=token)
        assert len(page["events"]) <= 2
        seen += [event["message"] for event in page["events"]]
    assert seen == [f"line {n}" for n in range(5)]
    assert found(world, nextToken="another's")[0] == 400
    assert found(world, logGroupName="/none")[0] == 400
