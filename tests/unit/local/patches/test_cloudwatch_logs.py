"""Log groups are described while functions write to them."""

import json
from typing import Any

from payinfra.local.server.patches.cloudwatch_logs import TRIES

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
